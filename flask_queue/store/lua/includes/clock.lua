-- Seconds, to tell how long this script has taken. Newer servers stop TIME while a script runs, older ones have no os.clock.
local library = rawget(_G, 'os')

local function clock()
  if library then
    return library.clock()
  end
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end
