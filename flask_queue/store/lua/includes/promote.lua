-- Delayed jobs whose time has come become ready, in the order of their times; at most PROMOTE_LIMIT a call.
local PROMOTE_LIMIT = 256

local function promote_due(now)
  local ids = redis.call('ZRANGEBYSCORE', delayed, '-inf', string.format('%.0f', now), 'LIMIT', 0, PROMOTE_LIMIT)
  if #ids == 0 then
    return
  end
  redis.call('ZREM', delayed, unpack(ids))
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    if text then
      local job = read_state(text)
      job.state = 'w'
      redis.call('HSET', state, ids[n], write_state(job))
      push(ids[n], job.priority, false)
    end
  end
end
