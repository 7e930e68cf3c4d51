-- Finds by how much the count of tombstones is off, and with it that of what waits; with 'fix' sets it right.
-- KEYS: state waiting meta
-- ARGV: 'look' or 'fix'
-- Returns: how many more there are than are counted; 0 where the list is longer than LOOK_LIMIT, and so is not counted
-- If the caller dies: it is done or not; sent again it changes nothing.
-- @include state
-- @include tombstone
local LOOK_LIMIT, STEP = 5000, 500

if redis.call('LLEN', waiting) > LOOK_LIMIT then
  return 0
end
local tombstones, seen = 0, {}
for first = 0, LOOK_LIMIT - 1, STEP do
  local ids = redis.call('LRANGE', waiting, first, first + STEP - 1)
  for n, text in ipairs(#ids > 0 and redis.call('HMGET', state, unpack(ids)) or {}) do
    if is_tombstone(text) or seen[ids[n]] then
      tombstones = tombstones + 1
    end
    seen[ids[n]] = true
  end
end
local counted = tonumber(redis.call('HGET', meta, 'tombstones') or 0)
if ARGV[1] == 'fix' and tombstones ~= counted then
  redis.call('HSET', meta, 'tombstones', tombstones)
end
return tombstones - counted
