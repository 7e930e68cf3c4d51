-- The worker measured the run, this clock ends it: so the start is reckoned back from now. A worker's clock that jumped
-- must not leave a negative number: that record could not be read again, and the job would be lost.
local function run_time(runtime, now)
  local run_ms = math.max(0, math.min(tonumber(runtime), now))
  return run_ms, now - run_ms
end

local function end_run(job, runtime, now)
  job.runtime, job.started = run_time(runtime, now)
end
