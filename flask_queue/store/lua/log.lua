-- Appends a line to a job's log, of which the newest LOG_LINES are kept. A job that is gone logs nothing.
-- KEYS: state
-- ARGV: tag, id, line
-- Returns: 1 kept, 0 no such job
-- @include state
-- @include flag
local LOG_LINES = 1000

local id = ARGV[2]
local text = redis.call('HGET', state, id)
if not text then
  return 0
end
local job = read_state(text)
if not string.find(job.flags, 'l', 1, true) then
  job.flags = set_flag(job.flags, 'l')
  redis.call('HSET', state, id, write_state(job))
end
local lines = ARGV[1] .. ':logs:' .. id
redis.call('RPUSH', lines, ARGV[3])
redis.call('LTRIM', lines, -LOG_LINES, -1)
return 1
