-- How many jobs are in each state: waiting, delayed, active, completed, failed, cancelled.
local function count_states(tag)
  local held = 0
  for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
    held = held + redis.call('SCARD', tag .. ':active:' .. worker)
  end
  local tombstones = tonumber(redis.call('HGET', meta, 'tombstones') or 0)
  local ready = redis.call('LLEN', waiting) + redis.call('ZCARD', prioritized) - tombstones
  return {ready, redis.call('ZCARD', delayed), held, redis.call('ZCARD', completed), redis.call('ZCARD', failed),
    redis.call('ZCARD', cancelled)}
end
