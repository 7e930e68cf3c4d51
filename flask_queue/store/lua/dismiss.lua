-- Finds, and with 'fix' forgets, workers that have been silent for long. Living workers forget them, too, but then one must live.
-- KEYS: workers info requests
-- ARGV: 'look' or 'fix', silence (ms), workers, at most 256
-- Returns: the workers that are gone
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
-- @include now
local is_fix, silent_since = ARGV[1] == 'fix', now_ms() - ARGV[2]

local function is_known(worker)
  return redis.call('ZSCORE', workers, worker) or redis.call('HEXISTS', info, worker) == 1
    or redis.call('HEXISTS', requests, worker) == 1
end

local found = {}
for n = 3, #ARGV do
  local worker = ARGV[n]
  if tonumber(redis.call('ZSCORE', workers, worker) or 0) < silent_since and is_known(worker) then
    found[#found + 1] = worker
    if is_fix then
      redis.call('ZREM', workers, worker)
      redis.call('HDEL', info, worker)
      redis.call('HDEL', requests, worker)
    end
  end
end
return found
