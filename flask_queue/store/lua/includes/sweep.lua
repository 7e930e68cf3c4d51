-- Takes tombstones off the front of `waiting`: where the first entry is one, it and those behind it, at most SWEEP_LIMIT a
-- call. So claims and looks meet a job soon, and a list of nothing but tombstones goes away. Returns how many.
local SWEEP_LIMIT = 512
-- @include state
-- @include tombstone

local function count_tombstones(ids)
  if #ids == 0 then
    return 0
  end
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    if not is_tombstone(text) then
      return n - 1
    end
  end
  return #ids
end

local function sweep()
  if count_tombstones(redis.call('LRANGE', waiting, 0, 0)) == 0 then
    return 0
  end
  local count = count_tombstones(redis.call('LRANGE', waiting, 0, SWEEP_LIMIT - 1))
  redis.call('LPOP', waiting, count)
  redis.call('HINCRBY', meta, 'tombstones', -count)
  return count
end
