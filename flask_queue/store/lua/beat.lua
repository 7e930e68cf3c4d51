-- A sign of life of a worker whose own interpreter cannot give one; its heart sends it.
-- KEYS: workers
-- ARGV: worker
-- Returns: nothing of use
-- Only where it is known: one that was reaped, or that has signed off meanwhile, must not come to life again.
-- @include now

return redis.call('ZADD', workers, 'XX', string.format('%.0f', now_ms()), ARGV[1])
