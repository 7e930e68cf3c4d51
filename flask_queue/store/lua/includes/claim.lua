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

-- The state record of a waiting job: nonce, flags and attempts, number, recoveries, priority, created and due. A claim needs no
-- more, and a table of all words takes three times as long.
local READY_PATTERN = '^w (%S+ %S+ %d+) (%d+) (%d+) (%-?%d+) (%d+ %d+) '

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
    local id, head, number, recoveries, priority, times = ids[n]
    if text and not seen[id] then
      head, number, recoveries, priority, times = string.match(text, READY_PATTERN)
    end
    local is_elsewhere = head and priority ~= '0' and n >= first and n <= last
    if not head or is_elsewhere then
      -- A tombstone, as in includes/tombstone.lua. A job that waits again is listed twice, and runs once.
      redis.call('HINCRBY', meta, 'tombstones', -1)
    else
      seen[id] = true
      -- A suspect waits until it is alone in its process, which then says that it starts.
      local started = #held_ids < idle and tonumber(recoveries) < suspect_from and now or 0
      local record = 'a ' .. head .. ' ' .. number + 1 .. ' ' .. recoveries .. ' ' .. priority .. ' ' .. times .. ' ' .. started
        .. ' 0 0 ' .. worker .. ' '
      if not messages[n] then
        fail_job(id, read_state(record), now, MISSING_PAYLOAD, MISSING_GROUP)
      else
        held_ids[#held_ids + 1] = id
        states[#states + 1], states[#states + 2] = id, record
        local size = #claimed
        claimed[size + 1], claimed[size + 2], claimed[size + 3] = id, record, messages[n]
      end
    end
  end
  if #held_ids > 0 then
    redis.call('HSET', state, unpack(states))
    redis.call('SADD', active, unpack(held_ids))
  end
  return claimed
end
