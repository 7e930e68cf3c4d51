-- Claims up to `want` ready jobs for this worker: priorities above 0, then the list, then priorities below 0.
-- The first `idle` of them start at once; the others are next in a thread's hand, and count as not started until then.
-- At most CLAIM_LIMIT: beyond what unpack can hold, the popped ids would be lost.
local CLAIM_LIMIT = 256
-- @include sweep

local function pop_prioritized(want, from, to)
  if want <= 0 then
    return {}
  end
  local ids = redis.call('ZRANGEBYSCORE', prioritized, from, to, 'LIMIT', 0, want)
  if #ids > 0 then
    redis.call('ZREM', prioritized, unpack(ids))
  end
  return ids
end

local function append(ids, more)
  for _, id in ipairs(more) do
    ids[#ids + 1] = id
  end
end

local function pop_waiting(want)
  if tonumber(redis.call('HGET', meta, 'tombstones') or 0) > 0 then
    sweep()
  end
  return redis.call('LPOP', waiting, want) or {}
end

-- Returns the ids, and the places among them of the first and the last that come from the list.
local function pop_ready(want)
  local has_priorities = redis.call('EXISTS', prioritized) == 1
  local ids = has_priorities and pop_prioritized(want, '-inf', '(0') or {}
  local first = #ids + 1
  if #ids < want then
    append(ids, pop_waiting(want - #ids))
  end
  local last = #ids
  if has_priorities then
    append(ids, pop_prioritized(want - #ids, '(0', '+inf'))
  end
  return ids, first, last
end

-- Returns id, state record, message of each claimed job, one after the other.
local function claim(want, idle, now)
  if want <= 0 then
    return {}
  end
  local ids, first, last = pop_ready(math.min(want, CLAIM_LIMIT))
  if #ids == 0 then
    return {}
  end
  local messages = redis.call('HMGET', jobs, unpack(ids))
  local claimed, states, held_ids, seen = {}, {}, {}, {}
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local job = text and read_state(text)
    local is_elsewhere = job and job.priority ~= '0' and n >= first and n <= last
    if not job or job.state ~= 'w' or is_elsewhere or seen[ids[n]] then
      -- A tombstone, as in includes/tombstone.lua. A job that waits again is listed twice, and runs once.
      redis.call('HINCRBY', meta, 'tombstones', -1)
    else
      seen[ids[n]] = true
      job.state, job.number, job.worker = 'a', job.number + 1, worker
      job.finished, job.runtime, job.result = 0, 0, ''
      -- A suspect waits until it is alone in its process, which then says that it starts.
      job.started = #held_ids < idle and tonumber(job.recoveries) < suspect_from and now or 0
      if not messages[n] then
        fail_job(ids[n], job, now, MISSING_PAYLOAD, MISSING_GROUP)
      else
        local record = write_state(job)
        held_ids[#held_ids + 1] = ids[n]
        states[#states + 1], states[#states + 2] = ids[n], record
        local size = #claimed
        claimed[size + 1], claimed[size + 2], claimed[size + 3] = ids[n], record, messages[n]
      end
    end
  end
  if #held_ids > 0 then
    redis.call('HSET', state, unpack(states))
    redis.call('SADD', active, unpack(held_ids))
  end
  return claimed
end
