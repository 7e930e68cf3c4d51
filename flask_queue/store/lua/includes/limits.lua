-- The limits of a queue over all its workers: rate_limit, and max_running jobs held at a time; 0 for none.
-- Whoever waits for the rate looks again after a hundredth of the window, or after GRAIN_MS, at the earliest: slots that open
-- one by one would cost a look each.
-- @include claim
-- @include rate
-- @include wake
local GRAIN_MS = 100

-- Counted in the workers' own sets: a counter could drift, and every transition would have to keep it.
local function count_held()
  local count = 0
  for _, each in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
    count = count + redis.call('SCARD', tag .. ':active:' .. each)
  end
  return count
end

-- How many jobs may be claimed now; right up to `want`, beyond it nobody asks.
local function count_slots(want, now)
  local slots = math.huge
  if max_running > 0 then
    slots = max_running - count_held()
  end
  if rate_limit > 0 then
    make_room(want, now)
    slots = math.min(slots, rate_limit - redis.call('LLEN', claims))
  end
  return math.max(0, slots)
end

-- When a queue without slots has one again: Unix ms where the rate tells, else -1, as nobody knows when a job ends.
local function next_slot(now)
  local excess = redis.call('LLEN', claims) - rate_limit
  if rate_limit == 0 or excess < 0 then
    return -1
  end
  local opens = redis.call('LINDEX', claims, excess) + rate_ms + 1
  return math.max(opens, now + math.min(rate_ms / 100, GRAIN_MS))
end

-- Returns the claimed jobs, how many are left ready, and when these may be claimed: 0 now, -1 once a marker says so, or a time.
local function claim_within_limits(want, idle, now)
  local is_paused = redis.call('HEXISTS', meta, 'paused') == 1
  local slots = is_paused and 0 or count_slots(want + 1, now)
  local claimed = claim(math.min(want, slots), idle, now)
  note_claims(#claimed / 3, now)
  local left = redis.call('LLEN', waiting) + redis.call('ZCARD', prioritized)
  if left == 0 then
    return claimed, 0, 0
  elseif slots <= #claimed / 3 then
    -- No marker: whoever took it would find the queue closed, and leave another.
    return claimed, left, is_paused and -1 or next_slot(now)
  end
  -- Another worker may be idle, and this one may have popped the marker without taking all.
  wake_worker()
  return claimed, left, 0
end
