-- The worker measured the run, this clock ends it: so the start is reckoned back from now. A worker's clock that jumped
-- must not leave a negative number: that record could not be read again, and the job would be lost.
local function end_run(job, runtime, now)
  job.runtime = math.max(0, math.min(tonumber(runtime), now))
  job.started = now - job.runtime
end
