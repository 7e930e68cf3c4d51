-- Adds a job whose id and unique key are free; returns its state. `lines` has a tag on each.
-- @include push
-- @include postpone
-- @include lock
-- @include flag
-- @include tag
local function due_time(due, now)
  if due == '' then
    return 0
  end
  local moment = string.sub(due, 1, 1) == '+' and now + tonumber(due) or tonumber(due)
  return moment > now and moment or 0
end

local function add(id, message, due, priority, nonce, lock, lines, now)
  due = due_time(due, now)
  local letter, flags = due > 0 and 'd' or 'w', lock == '' and '-' or 'u'
  if lines ~= '' then
    flags = set_flag(flags, 'g')
    tag_job(id, lines, now)
  end
  redis.call('HSET', jobs, id, message)
  redis.call('HSET', state, id, new_state(letter, nonce, flags, priority, now, due))
  if lock ~= '' then
    take_lock(id, lock, now)
  end
  if due > 0 then
    postpone(id, due)
  else
    push(id, priority, false)
  end
  return letter
end
