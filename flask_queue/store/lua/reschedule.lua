-- An operator's reschedule: a delayed job gets another time. One that has passed makes it due at the next cycle.
-- KEYS: state delayed wake
-- ARGV: id, due (Unix ms)
-- Returns: its state letter before: d was rescheduled; '' unknown, others unchanged
-- If the caller dies: it is done or not; sent again it changes nothing more, or comes too late and finds the job further on.
-- @include state
-- @include wake
-- @include postpone

local id, due = ARGV[1], tonumber(ARGV[2])
local text = redis.call('HGET', state, id)
if not text then
  return ''
end
local job = read_state(text)
if job.state == 'd' then
  job.due = due
  redis.call('HSET', state, id, write_state(job))
  postpone(id, due)
end
return string.sub(text, 1, 1)
