-- How long (ms) the next job to run has been waiting: the first that is ready, else the first delayed one if it is due; -1
-- where no job is to run now.
-- @include tombstone
local LOOK_LIMIT = 512

local function first_waiting()
  local ids = redis.call('LRANGE', waiting, 0, LOOK_LIMIT - 1)
  for n, text in ipairs(#ids > 0 and redis.call('HMGET', state, unpack(ids)) or {}) do
    if not is_tombstone(text) then
      return ids[n]
    end
  end
end

local function first_ready()
  return redis.call('ZRANGEBYSCORE', prioritized, '-inf', '(0', 'LIMIT', 0, 1)[1] or first_waiting()
    or redis.call('ZRANGEBYSCORE', prioritized, '(0', '+inf', 'LIMIT', 0, 1)[1]
end

local function oldest_wait(now)
  local id = first_ready() or redis.call('ZRANGEBYSCORE', delayed, '-inf', string.format('%.0f', now), 'LIMIT', 0, 1)[1]
  local text = id and redis.call('HGET', state, id)
  if not text then
    return -1
  end
  local job = read_state(text)
  return now - math.max(job.created, job.due)
end
