-- Takes the jobs of a dead worker back: to the front of the queue, or to failed where it died too often under a job.
-- KEYS: jobs state waiting prioritized delayed workers failed attempts wake meta
-- ARGV: tag, lease_ms, max_recoveries, error JSON for a job that is given up
-- Returns: how many jobs came back, ids of those given up, the next lease's end (Unix ms, 0 no worker left),
--       now (Unix ms)
-- One worker a call, at most REAP_LIMIT of its jobs; twice is harmless, so any live worker may do it at any time.
local tag, lease_ms, max_recoveries, lost_json = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
-- @include now
-- @include state
-- @include push
-- @include wake
-- @include history
-- @include finish
local REAP_LIMIT = 256

local now = now_ms()
local given_up = {}

-- Only a run that started can have killed its worker, so only that is a recovery.
local function recover(id, job)
  if job.started ~= '0' then
    job.recoveries = job.recoveries + 1
    if job.recoveries > max_recoveries then
      fail_job(id, job, now, lost_json)
      given_up[#given_up + 1] = id
      return
    end
    append_history(id, job, 'lost', now, '')
  end
  job.state, job.due, job.started = 'w', 0, 0
  redis.call('HSET', state, id, write_state(job))
  push(id, job.priority, true)
end

-- Latest start first: each goes to the very front, so the earliest ends up there.
local function by_start(left, right)
  return tonumber(left.job.started) > tonumber(right.job.started)
end

local function held_by(worker)
  local held = {}
  for _, id in ipairs(redis.call('SPOP', tag .. ':active:' .. worker, REAP_LIMIT)) do
    local text = redis.call('HGET', state, id)
    local job = text and read_state(text)
    if job and job.state == 'a' and job.worker == worker then
      held[#held + 1] = {id = id, job = job}
    end
  end
  table.sort(held, by_start)
  return held
end

local dead = redis.call('ZRANGEBYSCORE', workers, '-inf', string.format('%.0f', now - lease_ms), 'LIMIT', 0, 1)[1]
local recovered = 0
if dead then
  for _, entry in ipairs(held_by(dead)) do
    recover(entry.id, entry.job)
    recovered = recovered + 1
  end
  if redis.call('EXISTS', tag .. ':active:' .. dead) == 0 then
    redis.call('ZREM', workers, dead)
  end
  wake_worker()
end
local oldest_beat = redis.call('ZRANGE', workers, 0, 0, 'WITHSCORES')[2]
return {recovered - #given_up, given_up, oldest_beat and string.format('%.0f', oldest_beat + lease_ms) or '0', string.format('%.0f', now)}
