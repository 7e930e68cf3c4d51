-- What happened in the newest `wanted` units of 1 or 60 minutes: counts of each, the oldest first, nil where nothing happened,
-- and the minute that is not among them yet as flat names and counts.
local function read_tallies(unit, wanted, now)
  local newest = math.floor(now / 60000 / unit)
  local numbers = {}
  for n = 1, wanted do
    numbers[n] = string.format('%.0f', newest - wanted + n)
  end
  return redis.call('HMGET', unit == 1 and minutes or hours, unpack(numbers)), redis.call('HGETALL', minute)
end
