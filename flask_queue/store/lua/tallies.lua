-- What happened on the queue in the newest minutes or hours, as includes/tally.lua counts it. Reads only.
-- KEYS: minute minutes hours
-- ARGV: minutes in the unit (1 or 60), how many units, some 1,500 at most
-- Returns: now (Unix ms), counts of each unit, the oldest first, nil where nothing happened, the minute that is not among them
--       yet as flat names and counts
-- @include now

local unit, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local newest = math.floor(now / 60000 / unit)
local numbers = {}
for n = 1, wanted do
  numbers[n] = string.format('%.0f', newest - wanted + n)
end
local counts = redis.call('HMGET', unit == 1 and minutes or hours, unpack(numbers))
return {string.format('%.0f', now), counts, redis.call('HGETALL', minute)}
