-- An operator's promote: delayed jobs are due now, and wait at the end of their level.
-- KEYS: state waiting prioritized delayed wake meta
-- ARGV: ids, at most 256
-- Returns: for each id its state letter before: d was promoted; '' unknown, others unchanged
-- If the caller dies: all or nothing of a call is done. Sent again, or too late, the job is found waiting, or further on.
-- @include now
-- @include state
-- @include push
-- @include wake

local now = now_ms()

local function promote(id)
  local text = redis.call('HGET', state, id)
  if not text then
    return ''
  end
  local job = read_state(text)
  if job.state ~= 'd' then
    return job.state
  end
  redis.call('ZREM', delayed, id)
  job.state, job.due = 'w', now
  redis.call('HSET', state, id, write_state(job))
  push(id, job.priority, false)
  wake_worker()
  return 'd'
end

local reply = {}
for n, id in ipairs(ARGV) do
  reply[n] = promote(id)
end
return reply
