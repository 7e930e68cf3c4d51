-- Finds jobs that are in no list, where nobody would run, show or trim them; with 'fix' puts each back where its record says
-- that it is. An active one goes back to its worker: if that lives it looks what it holds, else the lease is over.
-- KEYS: state waiting prioritized delayed workers completed failed cancelled wake meta
-- ARGV: tag, 'look' or 'fix', then of each job (at most 256): id, and its record as it was before the list of what waits was
--       read, without finding it there; '' for a job that should be elsewhere, where this looks itself
-- Returns: the ids of such jobs
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
local tag, is_fix = ARGV[1], ARGV[2] == 'fix'
-- @include now
-- @include state
-- @include push
-- @include wake
-- @include postpone
local FINISHED = {c = completed, f = failed, x = cancelled}
-- A beat so old that the lease is over.
local LONG_AGO = '1'

local function is_listed(id, job, text, before)
  if job.state == 'w' and job.priority == '0' then
    -- To look for it here takes long in a long list. Whatever would have put it there since has changed its record.
    return text ~= before
  elseif job.state == 'a' then
    return redis.call('SISMEMBER', tag .. ':active:' .. job.worker, id) == 1
  end
  local key = job.state == 'w' and prioritized or job.state == 'd' and delayed or FINISHED[job.state]
  return not key or redis.call('ZSCORE', key, id)
end

local function list(id, job, now)
  if job.state == 'w' then
    job.due = now
    redis.call('HSET', state, id, write_state(job))
    push(id, job.priority, false)
    wake_worker()
  elseif job.state == 'd' then
    postpone(id, tonumber(job.due))
  elseif job.state == 'a' then
    redis.call('SADD', tag .. ':active:' .. job.worker, id)
    redis.call('ZADD', workers, 'NX', LONG_AGO, job.worker)
  else
    redis.call('ZADD', FINISHED[job.state], job.finished, id)
  end
end

local found = {}
local now = now_ms()
for n = 3, #ARGV, 2 do
  local text = redis.call('HGET', state, ARGV[n])
  local job = text and read_state(text)
  if job and job.state and not is_listed(ARGV[n], job, text, ARGV[n + 1]) then
    found[#found + 1] = ARGV[n]
    if is_fix then
      list(ARGV[n], job, now)
    end
  end
end
return found
