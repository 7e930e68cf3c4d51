-- An operator's retry: failed or cancelled jobs go back to waiting, attempts and recoveries counted anew, history kept.
-- KEYS: jobs state waiting prioritized failed cancelled wake meta
-- ARGV: ids, at most 256
-- Returns: for each id its state letter before: f or x were retried; '' unknown, p its payload is gone, others unchanged
-- @include state
-- @include push
-- @include wake

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
