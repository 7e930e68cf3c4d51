-- Ends a job as cancelled, wherever it was before, and with it its unique lock: only an operator's retry runs it again.
-- @include state
-- @include unlock
-- @include index
local function cancel_job(id, job, now)
  unlock(id, job)
  job.state, job.finished, job.due = 'x', now, 0
  index(id, job, nil)
  redis.call('HSET', state, id, write_state(job))
  redis.call('ZADD', cancelled, string.format('%.0f', now), id)
end
