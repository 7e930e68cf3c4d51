-- A worker's cycle on one queue: settle what ended, promote what is due, claim what idle threads can run.
-- KEYS: jobs state waiting prioritized delayed active workers completed failed cancelled cancelling attempts progress wake
--       meta claims unique unique_of minute minutes hours errors tags
-- ARGV: tag, worker, want (jobs to claim, at most 256), idle (threads without work), keep_completed, keep_completed_ms,
--       keep_failed, keep_failed_ms, rate_limit (claims, 0 none), rate_ms, max_running (0 none), suspect_from (recoveries
--       from which a job runs alone); how many jobs that did not start at once start now or have started since, then id,
--       number of each; then how many completed, and of each what includes/complete.lua reads; how many others, and of each
--       what includes/settle.lua reads; at most 256 in all
-- Returns: now (Unix ms), how many are left ready, when they may be claimed (Unix ms, 0 now, -1 once a marker says so),
--       next due time (Unix ms, 0 none), oldest beat of a worker (Unix ms), jobs this worker holds now, id and number of
--       each run whose settling came too late, claimed jobs (id, state record, message of each, flat), ids of its jobs that were
--       asked to stop, ids whose runs ended cancelled since their jobs had been asked to stop
local tag, worker, want, idle = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local rate_limit, rate_ms, max_running = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local suspect_from = tonumber(ARGV[12])
-- @include now
-- @include state
-- @include flag
-- @include push
-- @include wake
-- @include postpone
-- @include forget
-- @include trim
-- @include history
-- @include tally
-- @include finish
-- @include missing
-- @include fence
-- @include end_run
-- @include start
-- @include complete
-- @include settle
-- @include promote
-- @include limits

-- @include when_full

local now = now_ms()
redis.call('ZADD', workers, string.format('%.0f', now), worker)

start_claimed(14, tonumber(ARGV[13]), now)
local at = 14 + 2 * ARGV[13]
local completed_count = tonumber(ARGV[at])
if completed_count > 0 then
  complete(at + 1, completed_count, now)
end
at = at + 1 + completed_count * 5
settle_others(at + 1, tonumber(ARGV[at]), now)
trim(completed, tonumber(ARGV[5]), tonumber(ARGV[6]), now)
trim(failed, tonumber(ARGV[7]), tonumber(ARGV[8]), now)
trim(cancelled, tonumber(ARGV[7]), tonumber(ARGV[8]), now)

promote_due(now)
local claimed, left, opens = claim_within_limits(want, idle, now)
write_tally(now)
local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] or '0'
local oldest_beat = redis.call('ZRANGE', workers, 0, 0, 'WITHSCORES')[2]
return {string.format('%.0f', now), left, string.format('%.0f', opens), next_due, oldest_beat, redis.call('SCARD', active),
  late, claimed, redis.call('SINTER', cancelling, active), overruled}
