-- An operator's retry: failed or cancelled jobs go back to waiting, attempts and recoveries counted anew, history kept. One
-- that was unique takes its lock again.
-- KEYS: jobs state waiting prioritized failed cancelled wake meta unique unique_of
-- ARGV: ids, at most 256
-- Returns: for each id its state letter before: f or x were retried; '' unknown, p its payload is gone, u another job has its
--          unique key, others unchanged
-- @include now
-- @include state
-- @include push
-- @include wake
-- @include lock

local now = now_ms()

local function retry(id)
  local text = redis.call('HGET', state, id)
  if not text then
    return ''
  end
  local job = read_state(text)
  local before = job.state
  if before ~= 'f' and before ~= 'x' then
    return before
  end
  if redis.call('HEXISTS', jobs, id) == 0 then
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
  job.state, job.attempts, job.recoveries, job.due, job.started, job.finished, job.runtime = 'w', 0, 0, 0, 0, 0, 0
  redis.call('HSET', state, id, write_state(job))
  push(id, job.priority, false)
  wake_worker()
  return before
end

local reply = {}
for index, id in ipairs(ARGV) do
  reply[index] = retry(id)
end
return reply
