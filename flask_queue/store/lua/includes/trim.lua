-- Retention: the oldest finished jobs, those beyond `keep` and those older than `keep_ms`, at most TRIM_LIMIT a call.
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
  local cutoff = now - keep_ms
  local excess = math.max(0, math.min(redis.call('LLEN', completed) - keep, TRIM_LIMIT))
  if count_expired({redis.call('LINDEX', completed, excess) or nil}, cutoff) > 0 then
    excess = count_expired(redis.call('LRANGE', completed, 0, TRIM_LIMIT - 1), cutoff)
  end
  if excess > 0 then
    forget(redis.call('LPOP', completed, excess), now)
    redis.call('HINCRBY', meta, 'completed_trimmed', excess)
  end
end

local function trim_zset(key, keep, keep_ms, now)
  local excess = redis.call('ZCARD', key) - keep
  local expired = redis.call('ZCOUNT', key, '-inf', string.format('%.0f', now - keep_ms))
  local count = math.min(math.max(excess, expired), TRIM_LIMIT)
  if count > 0 then
    local ids = redis.call('ZRANGE', key, 0, count - 1)
    redis.call('ZREM', key, unpack(ids))
    forget(ids, now)
  end
end
