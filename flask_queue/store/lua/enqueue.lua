-- Stores jobs of one queue, waiting or delayed. An id that exists, or is remembered, is not stored again.
-- KEYS: jobs state waiting prioritized delayed attempts progress wake meta
-- ARGV: tag, then of each job (at most 256): id, message,
--       due ('' now, '+ms' after now, 'ms' Unix time), priority, nonce ('-' where we made the id)
-- Returns: now (Unix ms), then for each job that existed: its position from 0, state record, message, attempts, progress.
--       A repeat of the same call (same nonce) counts as stored: the caller re-sent what it had not heard of.
local tag = ARGV[1]
-- @include now
-- @include state
-- @include push
-- @include wake
-- @include postpone
-- @include recall

local now = now_ms()
local reply = {string.format('%.0f', now)}
local pushed = false

local function due_time(due)
  if due == '' then
    return 0
  end
  local moment = string.sub(due, 1, 1) == '+' and now + tonumber(due) or tonumber(due)
  return moment > now and moment or 0
end

for at = 2, #ARGV, 5 do
  local id, message, due, priority, nonce = unpack(ARGV, at, at + 4)
  local text, found = recall(id, nonce)
  if not text then
    due = due_time(due)
    redis.call('HSET', jobs, id, message)
    redis.call('HSET', state, id, write_state({state = due > 0 and 'd' or 'w', nonce = nonce, flags = '-', attempts = 0,
      number = 0, recoveries = 0, priority = priority, created = now, due = due, started = 0, finished = 0, runtime = 0,
      worker = '-', result = ''}))
    if due > 0 then
      postpone(id, due)
    else
      push(id, priority, false)
      pushed = true
    end
  elseif nonce == '-' or read_state(text).nonce ~= nonce then
    local index = #reply
    reply[index + 1], reply[index + 2], reply[index + 3] = (at - 2) / 5, text, found
    reply[index + 4] = redis.call('HGET', attempts, id) or ''
    reply[index + 5] = redis.call('HGET', progress, id) or ''
  end
end
if pushed then
  wake_worker()
end
return reply
