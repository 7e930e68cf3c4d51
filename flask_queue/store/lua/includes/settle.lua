-- Settles `count` runs that did not complete. ARGV from `first`, of each: kind (a name of settle_as), id, number, runtime (ms),
-- delay (ms), error (JSON, or ''), group (of a failed one, JSON, as includes/finish.lua), message ('' to keep the stored one).
-- @include asked
-- @include cancel
local function run_again(id, job, delay, now)
  job.due = now + math.max(0, delay)
  if delay > 0 then
    job.state = 'd'
    postpone(id, job.due)
  else
    job.state = 'w'
    push(id, job.priority, false)
  end
end

local settle_as = {}
-- Ids of runs that ended cancelled, whatever their worker made of them: their jobs had been asked to stop.
local overruled = {}

function settle_as.retried(id, job, delay, error_json, now)
  count_run_of(job)
  note('a', 1)
  append_history(id, job, 'retried', now, error_json)
  job.attempts = job.attempts + 1
  run_again(id, job, delay, now)
end

function settle_as.released(id, job, delay, error_json, now)
  append_history(id, job, 'released', now, error_json)
  run_again(id, job, delay, now)
end

function settle_as.given_back(id, job, delay, error_json, now)
  job.started = 0
  if delay > 0 then
    return run_again(id, job, delay, now)
  end
  job.state = 'w'
  push(id, job.priority, true)
end

function settle_as.failed(id, job, delay, error_json, now, group)
  count_run_of(job)
  job.attempts = job.attempts + 1
  fail_job(id, job, now, error_json, group)
end

function settle_as.refused(id, job, delay, error_json, now, group)
  fail_job(id, job, now, error_json, group)
end

function settle_as.cancelled(id, job, delay, error_json, now)
  append_history(id, job, 'cancelled', now, error_json)
  cancel_job(id, job, now)
end

-- Given back by its worker, and asked to stop by an operator: it must not run once more.
function settle_as.dropped(id, job, delay, error_json, now)
  job.started = 0
  cancel_job(id, job, now)
end

local function settle_others(first, count, now)
  for at = first, first + (count - 1) * 8, 8 do
    local kind, id, number, runtime, delay, error_json, group, message = unpack(ARGV, at, at + 7)
    local job = held(id, redis.call('HGET', state, id), number)
    if job then
      end_run(job, runtime, now)
      if was_asked_to_stop(id) then
        overruled[#overruled + 1] = id
        kind = kind == 'given_back' and 'dropped' or 'cancelled'
      end
      settle_as[kind](id, job, tonumber(delay), error_json, now, group)
      redis.call('HSET', state, id, write_state(job))
      redis.call('SREM', active, id)
      if message ~= '' then
        redis.call('HSET', jobs, id, message)
      end
    end
  end
end
