-- Settles runs of this worker. Whoever still holds the job under this run number settles it; all others are late, change
-- nothing and are returned. ARGV from `index`: how many completed, then id, number, runtime, result, flags of each; how many
-- others, then kind, id, number, runtime, delay, error, message of each.
local late = {}

local function held(id, text, number)
  if text then
    local job = read_state(text)
    if job.state == 'a' and job.worker == worker and job.number == number then
      return job
    end
  end
  late[#late + 1] = id
end

-- The worker measured the run, this clock ends it: so the start is reckoned back from now. A worker's clock that jumped
-- must not leave a negative number: that record could not be read again, and the job would be lost.
local function end_run(job, runtime, now)
  job.runtime = math.max(0, math.min(tonumber(runtime), now))
  job.started = now - job.runtime
end

local function complete(index, count, now)
  local ids, states, done, settled = {}, {}, {}, {}
  for n = 1, count do
    ids[n] = ARGV[index + (n - 1) * 5]
  end
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local at = index + (n - 1) * 5
    -- The records were all read before the first is written: a run that is settled twice here must not be listed twice.
    local job = held(ids[n], not settled[ids[n]] and text, ARGV[at + 1])
    if job then
      settled[ids[n]] = true
      end_run(job, ARGV[at + 2], now)
      if job.number ~= '1' then
        append_history(ids[n], job, 'completed', now, '')
      end
      job.state, job.finished, job.attempts, job.result = 'c', now, job.attempts + 1, ARGV[at + 3]
      job.flags = ARGV[at + 4] == '' and job.flags or set_flag(job.flags, ARGV[at + 4])
      done[#done + 1] = ids[n]
      states[#states + 1] = ids[n]
      states[#states + 1] = write_state(job)
    end
  end
  if #done > 0 then
    redis.call('HSET', state, unpack(states))
    redis.call('SREM', active, unpack(done))
    redis.call('RPUSH', completed, unpack(done))
  end
end

local function run_again(id, job, delay, now)
  job.due = 0
  if delay > 0 then
    job.state, job.due = 'd', now + delay
    postpone(id, job.due)
  else
    job.state = 'w'
    push(id, job.priority, false)
  end
end

local settle_as = {}

function settle_as.retried(id, job, delay, error_json, now)
  append_history(id, job, 'retried', now, error_json)
  job.attempts = job.attempts + 1
  run_again(id, job, delay, now)
end

function settle_as.released(id, job, delay, error_json, now)
  append_history(id, job, 'released', now, error_json)
  run_again(id, job, delay, now)
end

function settle_as.given_back(id, job)
  job.state, job.started = 'w', 0
  push(id, job.priority, true)
end

function settle_as.failed(id, job, delay, error_json, now)
  job.attempts = job.attempts + 1
  fail_job(id, job, now, error_json)
end

function settle_as.cancelled(id, job, delay, error_json, now)
  append_history(id, job, 'cancelled', now, error_json)
  job.state, job.finished, job.due = 'x', now, 0
  redis.call('ZADD', cancelled, string.format('%.0f', now), id)
end

local function settle_others(index, count, now)
  for n = 1, count do
    local kind, id, number, runtime, delay, error_json, message = unpack(ARGV, index, index + 6)
    index = index + 7
    local job = held(id, redis.call('HGET', state, id), number)
    if job then
      end_run(job, runtime, now)
      settle_as[kind](id, job, tonumber(delay), error_json, now)
      redis.call('HSET', state, id, write_state(job))
      redis.call('SREM', active, id)
      if message ~= '' then
        redis.call('HSET', jobs, id, message)
      end
    end
  end
end
