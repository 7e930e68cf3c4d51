-- An operator's retry: failed or cancelled jobs go back to waiting, attempts and recoveries counted anew, history kept. One
-- that was unique takes its lock again.
-- KEYS: jobs state waiting prioritized failed cancelled wake meta unique unique_of errors
-- ARGV: tag, the state letters that may go (of f and x), until (Unix ms: only jobs that ended by then; '' for any), then ids, at
--       most 256
-- Returns: for each id its state letter before: f or x were retried; '' unknown, p its payload is gone, u another job has its
--          unique key, - it failed or was cancelled, but not as asked for; others unchanged
local tag, states, latest = ARGV[1], ARGV[2], tonumber(ARGV[3]) or math.huge
-- @include now
-- @include state
-- @include push
-- @include wake
-- @include lock
-- @include unindex

local now = now_ms()
local listed = {}

local function retry(id)
  local text = redis.call('HGET', state, id)
  if not text then
    return ''
  end
  local job = read_state(text)
  local before = job.state
  if before ~= 'f' and before ~= 'x' then
    return before
  elseif not string.find(states, before, 1, true) or tonumber(job.finished) > latest then
    return '-'
  elseif redis.call('HEXISTS', jobs, id) == 0 then
    return 'p'
  end
  local lock = string.find(job.flags, 'u', 1, true) and redis.call('HGET', unique_of, id)
  if lock then
    if lock_holder(lock, now) then
      return 'u'
    end
    take_lock(id, lock, now)
  end
  redis.call('ZREM', before == 'f' and failed or cancelled, id)
  list_ended(listed, id, job)
  job.state, job.attempts, job.recoveries, job.due, job.started, job.finished, job.runtime = 'w', 0, 0, 0, 0, 0, 0
  job.result = ''
  redis.call('HSET', state, id, write_state(job))
  push(id, job.priority, false)
  wake_worker()
  return before
end

local reply = {}
for n = 4, #ARGV do
  reply[n - 3] = retry(ARGV[n])
end
unindex(listed)
return reply
