-- A worker that ends shows nothing of itself any more.
-- KEYS: workers info requests
-- ARGV: worker
-- Returns: nothing of use
redis.call('ZREM', workers, ARGV[1])
redis.call('HDEL', info, ARGV[1])
return redis.call('HDEL', requests, ARGV[1])
