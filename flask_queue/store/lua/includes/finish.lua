-- Ends a job as failed: state, its place among the failed, the run in its history, its unique lock. `group` is the JSON of the
-- group of errors that it is shown in.
-- @include unlock
-- @include index
local function fail_job(id, job, now, error_json, group)
  append_history(id, job, 'failed', now, error_json)
  note('f', 1)
  unlock(id, job)
  job.state, job.finished = 'f', now
  index(id, job, group)
  redis.call('HSET', state, id, write_state(job))
  redis.call('ZADD', failed, string.format('%.0f', now), id)
end
