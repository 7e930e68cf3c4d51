-- Takes the jobs of a dead worker back: to the front of the queue, or to failed where it died too often under a job; one that
-- was asked to stop is cancelled.
-- KEYS: jobs state waiting prioritized delayed workers failed cancelled cancelling attempts wake meta
--       unique unique_of minute minutes hours errors tags
-- ARGV: tag, lease_ms, max_recoveries, error JSON for a job that is given up (%s for the workers), suspect_from (recoveries),
--       pause_ms (until the first suspect may run again, and between two of them), group JSON of that error, by_ms (Unix ms):
--       a call that comes later was held up, as by a server that hung, and so were the beats: nobody is taken for dead
-- Returns: how many jobs came back, the next lease's end (Unix ms, 0 no worker left), now (Unix ms), what includes/show.lua tells
--       of those that ended: given up, or cancelled
-- One worker a call, at most SEIZE_LIMIT of its jobs; twice is harmless, so any live worker may do it at any time.
local tag, lease_ms, max_recoveries, lost_json = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local suspect_from, pause_ms, lost_group, by_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
-- @include now
-- @include state
-- @include wake
-- @include history
-- @include tally
-- @include finish
-- @include seize
-- @include come_back
-- @include name_workers
-- @include asked
-- @include cancel
-- @include show
local now, recovered, ended = now_ms(), 0, {}

-- Only a run that started can have killed its worker, so only that is a recovery.
local function recover(id, job)
  local is_unwanted = was_asked_to_stop(id)
  if job.started ~= '0' then
    job.recoveries = job.recoveries + 1
    if job.recoveries > max_recoveries and not is_unwanted then
      ended[#ended + 1] = id
      return fail_job(id, job, now, string.format(lost_json, name_workers(id, job)), lost_group)
    end
    append_history(id, job, 'lost', now, '')
  end
  if is_unwanted then
    ended[#ended + 1] = id
    return cancel_job(id, job, now)
  end
  come_back(id, job, now)
  recovered = recovered + 1
end

local dead = redis.call('ZRANGEBYSCORE', workers, '-inf', string.format('%.0f', now - lease_ms), 'LIMIT', 0, 1)[1]
if dead and now <= by_ms then
  for _, entry in ipairs(seize(dead)) do
    recover(entry.id, entry.job)
  end
  if redis.call('EXISTS', tag .. ':active:' .. dead) == 0 then
    redis.call('ZREM', workers, dead)
  end
  wake_worker()
end
write_tally(now)
local oldest_beat = redis.call('ZRANGE', workers, 0, 0, 'WITHSCORES')[2]
local next_expiry = oldest_beat and string.format('%.0f', oldest_beat + lease_ms) or '0'
return {recovered, next_expiry, string.format('%.0f', now), show(ended)}
