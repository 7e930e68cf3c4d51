-- What happened on the queue in the newest minutes or hours, as includes/tally.lua counts it. Reads only.
-- KEYS: minute minutes hours
-- ARGV: minutes in the unit (1 or 60), how many units, some 1,500 at most
-- Returns: now (Unix ms), counts of each unit and of the current minute, as includes/read_tallies.lua gives them
-- @include now
-- @include read_tallies
local now = now_ms()
local counts, current = read_tallies(tonumber(ARGV[1]), tonumber(ARGV[2]), now)
return {string.format('%.0f', now), counts, current}
