-- An operator's delete: every trace of jobs goes, except that an id its caller chose stays remembered for an hour.
-- KEYS: jobs state waiting prioritized delayed completed failed cancelled attempts progress meta unique unique_of
--       errors tags
-- ARGV: tag, the state letters that may go (a never does), until (Unix ms: only jobs that finished, or unfinished ones that were
--       created, by then; '' for any), then ids, at most 256
-- Returns: for each id '+' deleted, '' unknown, else its state letter, and it is unchanged
-- If the caller dies: all or nothing of a call is done. Sent again, the job is unknown.
local tag, states, latest = ARGV[1], ARGV[2], tonumber(ARGV[3]) or math.huge
-- @include now
-- @include state
-- @include withdraw
-- @include forget
-- @include sweep

local FINISHED = {c = completed, f = failed, x = cancelled}
local now = now_ms()

-- Takes a job off its list. One that did not finish never will: so it is remembered as cancelled.
local function remove(id, job)
  if FINISHED[job.state] then
    redis.call('ZREM', FINISHED[job.state], id)
    return
  end
  withdraw(id, job)
  job.state, job.finished, job.due = 'x', now, 0
  redis.call('HSET', state, id, write_state(job))
end

local function may_go(job)
  local moment = FINISHED[job.state] and job.finished or job.created
  return job.state ~= 'a' and string.find(states, job.state, 1, true) and tonumber(moment) <= latest
end

local reply, gone = {}, {}
for n = 4, #ARGV do
  local text = redis.call('HGET', state, ARGV[n])
  local job = text and read_state(text)
  reply[n - 3] = job and job.state or ''
  if job and may_go(job) then
    remove(ARGV[n], job)
    gone[#gone + 1], reply[n - 3] = ARGV[n], '+'
  end
end
forget(gone, now)
sweep()
return reply
