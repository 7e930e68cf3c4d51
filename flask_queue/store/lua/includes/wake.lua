-- Leaves the one wake-up marker for a worker that blocks on this queue, now or later.
local function wake_worker()
  redis.call('ZADD', wake, 0, '1')
end
