-- All that an overview shows of the queue. Reads only.
-- KEYS: state waiting prioritized delayed workers completed failed cancelled meta minute minutes hours
-- ARGV: tag, minutes in the unit (1 or 60), how many units, some 1,500 at most
-- Returns: as tallies.lua; then how many jobs are in each state, as includes/count_states.lua; how long the next job has been
--       waiting (ms, -1 none); the reason why it is paused, nil where it is not
-- @include now
-- @include state
-- @include count_states
-- @include oldest_wait
-- @include read_tallies
local now = now_ms()
local counts, current = read_tallies(tonumber(ARGV[2]), tonumber(ARGV[3]), now)
return {string.format('%.0f', now), counts, current, count_states(ARGV[1]), oldest_wait(now),
  redis.call('HGET', meta, 'paused')}
