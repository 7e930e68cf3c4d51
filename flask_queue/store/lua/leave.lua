-- A worker that stops gives up its lease, unless it still holds jobs: then the lease runs out and they are taken back.
-- KEYS: active workers waiting prioritized delayed wake
-- ARGV: worker
-- Returns: how many jobs it still holds
-- @include wake

local held = redis.call('SCARD', active)
if held == 0 then
  redis.call('ZREM', workers, ARGV[1])
end
if redis.call('EXISTS', waiting, prioritized, delayed) > 0 then
  -- It may have popped the marker of these jobs at the last moment.
  wake_worker()
end
return held
