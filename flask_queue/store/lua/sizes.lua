-- How many ids there are in some places, about. Reads only.
-- KEYS: state workers
-- ARGV: tag, JSON of a list of places: see store/places.py
-- Returns: a number for each
local size_of = {}

function size_of.up(place)
  return redis.call('ZCOUNT', ARGV[1] .. ':' .. place.source, place.low, place.high)
end

size_of.down = size_of.up

function size_of.list(place)
  return redis.call('LLEN', ARGV[1] .. ':' .. place.source)
end

function size_of.active()
  local held = 0
  for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
    held = held + redis.call('SCARD', ARGV[1] .. ':active:' .. worker)
  end
  return held
end

function size_of.given(place)
  local there = 0
  for _, id in ipairs(place.ids) do
    there = there + redis.call('HEXISTS', state, id)
  end
  return there
end

local sizes = {}
for n, place in ipairs(cjson.decode(ARGV[2])) do
  sizes[n] = size_of[place.order](place)
end
return sizes
