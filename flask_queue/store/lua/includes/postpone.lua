-- Puts a job into `delayed`; a worker is woken only where it becomes the first one due, as others have timers for that.
local function postpone(id, due)
  redis.call('ZADD', delayed, string.format('%.0f', due), id)
  if redis.call('ZRANGE', delayed, 0, 0)[1] == id then
    wake_worker()
  end
end
