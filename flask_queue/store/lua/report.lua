-- What a worker shows of itself, and what it is asked to do. Forgets workers that have been silent for long.
-- KEYS: workers info requests
-- ARGV: worker, silence (ms) after which a worker is forgotten, JSON to show
-- Returns: what it is asked to do (quiet, stop, restart), or ''
-- @include now
local FORGET_LIMIT = 100

-- @include when_full

local now = now_ms()
local silent_since = string.format('%.0f', now - ARGV[2])
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', silent_since, 'LIMIT', 0, FORGET_LIMIT)) do
  redis.call('ZREM', workers, dead)
  redis.call('HDEL', info, dead)
  redis.call('HDEL', requests, dead)
end
redis.call('ZADD', workers, string.format('%.0f', now), ARGV[1])
redis.call('HSET', info, ARGV[1], string.format('%.0f ', now) .. ARGV[3])
return redis.call('HGET', requests, ARGV[1]) or ''
