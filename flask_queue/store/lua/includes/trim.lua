-- Retention: the oldest of a state's finished jobs, those beyond `keep` and those older than `keep_ms`, at most TRIM_LIMIT a
-- call. Returns how many.
local TRIM_LIMIT = 512

local function trim(finished, keep, keep_ms, now)
  local excess = redis.call('ZCARD', finished) - keep
  local expired = redis.call('ZCOUNT', finished, '-inf', string.format('%.0f', now - keep_ms))
  local count = math.min(math.max(excess, expired), TRIM_LIMIT)
  if count <= 0 then
    return 0
  end
  local ids = redis.call('ZRANGE', finished, 0, count - 1)
  redis.call('ZREM', finished, unpack(ids))
  forget(ids, now)
  return count
end
