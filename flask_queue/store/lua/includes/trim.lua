-- Retention: the oldest finished jobs beyond `keep`, then those older than `keep_ms`, at most TRIM_LIMIT a call.
local TRIM_LIMIT = 512

-- How many of the oldest finished at or before `cutoff`. A job without a state record counts: nothing to keep.
local function count_expired(ids, cutoff)
  if #ids == 0 then
    return 0
  end
  for index, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    if text and tonumber(read_state(text).finished) > cutoff then
      return index - 1
    end
  end
  return #ids
end

local function trim_list(keep, keep_ms, now)
  local excess = math.min(redis.call('LLEN', completed) - keep, TRIM_LIMIT)
  if excess <= 0 then
    local oldest = redis.call('LINDEX', completed, 0)
    if not oldest or count_expired({oldest}, now - keep_ms) == 0 then
      return
    end
    excess = count_expired(redis.call('LRANGE', completed, 0, TRIM_LIMIT - 1), now - keep_ms)
  end
  forget(redis.call('LPOP', completed, excess), now)
  redis.call('HINCRBY', meta, 'completed_trimmed', excess)
end

local function trim_zset(key, keep, keep_ms, now)
  local excess = math.min(redis.call('ZCARD', key) - keep, TRIM_LIMIT)
  local ids
  if excess > 0 then
    ids = redis.call('ZRANGE', key, 0, excess - 1)
  else
    ids = redis.call('ZRANGEBYSCORE', key, '-inf', string.format('%.0f', now - keep_ms), 'LIMIT', 0, TRIM_LIMIT)
  end
  if #ids > 0 then
    redis.call('ZREM', key, unpack(ids))
    forget(ids, now)
  end
end
