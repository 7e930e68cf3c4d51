-- The next ids of a place, and the position of each: a text that says where to go on behind it, also once it is gone. By order:
--   up, down   of a sorted set, within `low` and `high`: 'score'; among equal scores the id decides
--   list       of `waiting`: 'index.distance', that from the end
--   active     of the sets of the workers, in the order of ids; these have no position
--   given      those of ARGV
-- `id` and `at` are id and position of the last one that was seen, if any. Returns whether these are the last ones, too.
-- @include rank
-- @include index_of
local function from_set(wanted, key)
  local first, total = ranks(key, wanted)
  local last = math.min(first + wanted.count, total) - 1
  if last < first then
    return {}, {}, true
  end
  local pairs_found = wanted.order == 'up' and redis.call('ZRANGE', key, first, last, 'WITHSCORES')
    or redis.call('ZRANGE', key, first, last, 'REV', 'WITHSCORES')
  local ids, positions = {}, {}
  for n = 1, #pairs_found, 2 do
    ids[#ids + 1] = pairs_found[n]
    positions[#positions + 1] = pairs_found[n + 1]
  end
  return ids, positions, last + 1 == total
end

local function from_list(wanted, key)
  local length, first = redis.call('LLEN', key), 0
  if wanted.id then
    local index, distance = string.match(wanted.at, '^(%d+)%.(%d+)$')
    first = index_of(key, wanted.id, tonumber(index), tonumber(distance), wanted.is_late) + 1
  end
  local ids, positions = redis.call('LRANGE', key, first, first + wanted.count - 1), {}
  for n = 1, #ids do
    local index = first + n - 1
    positions[n] = string.format('%.0f.%.0f', index, length - index)
  end
  return ids, positions, first + #ids >= length
end

local function without_positions(ids)
  local positions = {}
  for n = 1, #ids do
    positions[n] = '0'
  end
  return ids, positions
end

local function from_workers(wanted)
  local ids, chosen = {}, {}
  for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
    for _, id in ipairs(redis.call('SMEMBERS', ARGV[1] .. ':active:' .. worker)) do
      if not wanted.id or comes_before(wanted.id, id) then
        ids[#ids + 1] = id
      end
    end
  end
  table.sort(ids, comes_before)
  for n = 1, math.min(#ids, wanted.count) do
    chosen[n] = ids[n]
  end
  return chosen, #ids == #chosen
end

local function next_ids(wanted)
  if wanted.order == 'given' then
    local ids, positions = without_positions({unpack(ARGV, 3)})
    return ids, positions, true
  elseif wanted.order == 'active' then
    local found, is_last = from_workers(wanted)
    local ids, positions = without_positions(found)
    return ids, positions, is_last
  end
  return (wanted.order == 'list' and from_list or from_set)(wanted, ARGV[1] .. ':' .. wanted.source)
end
