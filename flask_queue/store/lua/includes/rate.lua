-- The rate limit: at most rate_limit claims in any rate_ms, over all workers. `claims` lists their times (Unix ms), oldest
-- first, as long as they may still count; the newest of them are the window.
local LOOK_LIMIT = 512

-- The window and a millisecond, as times are cut to milliseconds. A time to come is from before the clock was set back, and
-- must not close the queue until then.
local function has_passed(time, now)
  return time + rate_ms < now or time > now
end

-- Drops claims that have passed, as far as that makes room for `want` more.
local function make_room(want, now)
  local excess = math.min(redis.call('LLEN', claims) + want - rate_limit, LOOK_LIMIT)
  if excess <= 0 then
    return
  end
  local passed = 0
  for _, time in ipairs(redis.call('LRANGE', claims, 0, excess - 1)) do
    if not has_passed(tonumber(time), now) then
      break
    end
    passed = passed + 1
  end
  redis.call('LTRIM', claims, passed, -1)
end

local function note_claims(count, now)
  if rate_limit == 0 or count == 0 then
    return
  end
  local times, time = {}, string.format('%.0f', now)
  for n = 1, count do
    times[n] = time
  end
  redis.call('RPUSH', claims, unpack(times))
  redis.call('PEXPIRE', claims, string.format('%.0f', rate_ms + 1))
end
