-- The state record of a job: words with single spaces between, the result (JSON, or nothing) at the end.
--   state      w d a c f x: waiting, delayed, active, completed, failed, cancelled ("cancelled" is x)
--   nonce      of the call that stored a job under an id its caller chose; - for an id that we made
--   flags      l: has log lines; t: the result is cut; - for none
--   attempts   runs that spent one since the last operator's retry
--   number     of the run, counted up by every claim, never restarting: with the worker the fence of a settle
--   recoveries started runs that were lost with their worker
--   priority   −100 … 100
--   created, due, started, finished   Unix ms, 0 for never
--   runtime    ms of the last run
--   worker     that has the job, or had it last; - for none
local STATE_PATTERN = '^(%a) (%S+) (%S+) (%d+) (%d+) (%d+) (%-?%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$'

local function read_state(text)
  local job = {}
  job.state, job.nonce, job.flags, job.attempts, job.number, job.recoveries, job.priority, job.created, job.due,
    job.started, job.finished, job.runtime, job.worker, job.result = string.match(text, STATE_PATTERN)
  return job
end

-- %.0f: Lua would print large numbers with an exponent.
local function write_state(job)
  return string.format('%s %s %s %d %d %d %d %.0f %.0f %.0f %.0f %.0f %s %s', job.state, job.nonce, job.flags,
    job.attempts, job.number, job.recoveries, job.priority, job.created, job.due, job.started, job.finished,
    job.runtime, job.worker, job.result)
end
