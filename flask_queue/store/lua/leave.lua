-- A worker that stops gives up its lease, unless it still holds jobs: then the lease runs out and they are taken back.
-- KEYS: active workers
-- ARGV: worker
-- Returns: how many jobs it still holds
local held = redis.call('SCARD', active)
if held == 0 then
  redis.call('ZREM', workers, ARGV[1])
end
return held
