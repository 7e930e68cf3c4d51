-- How long the next job to run has been waiting. Reads only.
-- KEYS: state waiting prioritized delayed
-- ARGV: none
-- Returns: ms, or -1 where no job is to run now
-- @include now
-- @include state
-- @include oldest_wait
return oldest_wait(now_ms())
