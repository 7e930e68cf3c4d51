-- Ends a queue's pause: workers take its jobs again.
-- KEYS: waiting prioritized wake meta
-- ARGV: none
-- Returns: 1 it was paused, 0 it was not
-- If the caller dies: it is done or not; sent again it changes nothing.
-- @include wake

local was_paused = redis.call('HDEL', meta, 'paused')
if redis.call('EXISTS', waiting, prioritized) > 0 then
  wake_worker()
end
return was_paused
