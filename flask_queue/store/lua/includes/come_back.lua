-- A job of a dead worker goes to the front of its queue. One that lost `suspect_from` workers may have killed them, or stood next
-- to the job that did: it comes back later than the others, and the worker that claims it runs it alone.
-- @include push
-- @include postpone
local suspects = 0

local function come_back(id, job, now)
  local is_suspect = tonumber(job.recoveries) >= suspect_from
  suspects = suspects + (is_suspect and 1 or 0)
  job.state, job.started = is_suspect and 'd' or 'w', 0
  if is_suspect then
    job.due = now + suspects * pause_ms
  end
  redis.call('HSET', state, id, write_state(job))
  if is_suspect then
    postpone(id, job.due)
  else
    push(id, job.priority, true)
  end
end
