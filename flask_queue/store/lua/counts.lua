-- How many jobs are in each state, all at one moment. Reads only.
-- KEYS: waiting prioritized delayed workers completed failed cancelled meta
-- ARGV: tag
-- Returns: waiting, delayed, active, completed, failed, cancelled
-- @include count_states
return count_states(ARGV[1])
