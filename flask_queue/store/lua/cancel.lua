-- An operator's cancel: jobs that wait or are delayed end as cancelled, active ones are asked to stop.
-- KEYS: jobs state waiting prioritized delayed cancelled cancelling meta unique unique_of errors
-- ARGV: tag, then ids, at most 256
-- Returns: for each id its state letter before: w and d are cancelled now, a is asked to stop; '' unknown, others unchanged
-- If the caller dies: all or nothing of a call is done. Sent again, the job is found cancelled, or asked to stop already.
local tag = ARGV[1]
-- @include now
-- @include state
-- @include withdraw
-- @include cancel
-- @include sweep

local now = now_ms()

local function cancel(id)
  local text = redis.call('HGET', state, id)
  if not text then
    return ''
  end
  local job = read_state(text)
  local before = job.state
  if before == 'a' then
    redis.call('SADD', cancelling, id)
  elseif before == 'w' or before == 'd' then
    withdraw(id, job)
    cancel_job(id, job, now)
  end
  return before
end

local reply = {}
for n = 2, #ARGV do
  reply[n - 1] = cancel(ARGV[n])
end
sweep()
return reply
