-- The state record of a job: words with single spaces between, the result (JSON, or nothing) at the end; a failed or cancelled
-- job has there what it is listed under, as includes/index.lua says.
--   state      w d a c f x: waiting, delayed, active, completed, failed, cancelled ("cancelled" is x)
--   nonce      of the call that stored a job under an id its caller chose; - for an id that we made
--   flags      g: has tags; l: has log lines; t: the result is cut; u: has, or had, a unique lock; - for none
--   attempts   runs that spent one since the last operator's retry
--   number     of the run, counted up by every claim, never restarting: with the worker the fence of a settle
--   recoveries started runs that were lost with their worker
--   priority   −100 … 100
--   created, due, started, finished   Unix ms, 0 for never
--   runtime    ms of the last run
--   worker     that has the job, or had it last; - for none
local STATE_PATTERN = '^(%a) (%S+) (%S+) (%d+) (%d+) (%d+) (%-?%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$'

-- The record as a table; its parts are text.
local function record(state, nonce, flags, attempts, number, recoveries, priority, created, due, started, finished, runtime,
    worker, result)
  return {state = state, nonce = nonce, flags = flags, attempts = attempts, number = number, recoveries = recoveries,
    priority = priority, created = created, due = due, started = started, finished = finished, runtime = runtime,
    worker = worker, result = result}
end

local function read_state(text)
  return record(string.match(text, STATE_PATTERN))
end

-- Lua prints whole numbers below 10^14 as they are, which for times is until the year 5138; only a job may be due later.
local function write_state(job)
  return job.state .. ' ' .. job.nonce .. ' ' .. job.flags .. ' ' .. job.attempts .. ' ' .. job.number .. ' '
    .. job.recoveries .. ' ' .. job.priority .. ' ' .. job.created .. ' ' .. string.format('%.0f', job.due) .. ' '
    .. job.started .. ' ' .. job.finished .. ' ' .. job.runtime .. ' ' .. job.worker .. ' ' .. job.result
end

local function new_state(state, nonce, flags, priority, created, due)
  return string.format('%s %s %s 0 0 0 %s %.0f %.0f 0 0 0 - ', state, nonce, flags, priority, created, due)
end
