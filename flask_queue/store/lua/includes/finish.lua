-- Ends a job as failed: state, its place among the failed, the run in its history, its unique lock.
-- @include unlock
local function fail_job(id, job, now, error_json)
  append_history(id, job, 'failed', now, error_json)
  note('f', 1)
  unlock(id, job)
  job.state, job.finished, job.due = 'f', now, 0
  redis.call('HSET', state, id, write_state(job))
  redis.call('ZADD', failed, string.format('%.0f', now), id)
end
