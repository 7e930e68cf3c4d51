-- Adds a job whose id and unique key are free; returns its state. `lines` has a tag on each. Nothing reads the job until
-- `write_added`: one command for all takes a fraction of one for each.
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

local new_jobs, new_states, ready = {}, {}, {}

local function collect(pairs_of, id, text)
  pairs_of[#pairs_of + 1] = id
  pairs_of[#pairs_of + 1] = text
end

local function write_added()
  if #new_jobs > 0 then
    redis.call('HSET', jobs, unpack(new_jobs))
    redis.call('HSET', state, unpack(new_states))
  end
  if #ready > 0 then
    redis.call('RPUSH', waiting, unpack(ready))
  end
  new_jobs, new_states, ready = {}, {}, {}
end

local function add(id, message, due, priority, nonce, lock, lines, now)
  due = due_time(due, now)
  local letter, flags = due > 0 and 'd' or 'w', lock == '' and '-' or 'u'
  if lines ~= '' then
    flags = set_flag(flags, 'g')
    tag_job(id, lines, now)
  end
  collect(new_jobs, id, message)
  collect(new_states, id, new_state(letter, nonce, flags, priority, now, due))
  if lock ~= '' then
    take_lock(id, lock, now)
  end
  if due > 0 then
    postpone(id, due)
  elseif priority == '0' then
    ready[#ready + 1] = id
  else
    push(id, priority, false)
  end
  return letter
end
