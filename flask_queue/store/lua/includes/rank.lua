-- Byte by byte: Lua's own comparison follows the language that the server runs in.
local function comes_before(left, right)
  for n = 1, math.min(#left, #right) do
    local one, other = string.byte(left, n), string.byte(right, n)
    if one ~= other then
      return one < other
    end
  end
  return #left < #right
end

-- How many members of one score, in the order, are up to and with this id; whether or not it is still among them.
local function count_seen(key, id, first, ties, is_up)
  local low, high = 0, ties
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = first + middle
    local member = (is_up and redis.call('ZRANGE', key, at, at) or redis.call('ZRANGE', key, at, at, 'REV'))[1]
    if member == id or comes_before(member, id) == is_up then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- The rank, in the order, of the first member behind the position, and the one behind the last within the bounds.
local function ranks(key, wanted)
  local is_up, card = wanted.order == 'up', redis.call('ZCARD', key)
  local outside = is_up and redis.call('ZCOUNT', key, wanted.low, '+inf') or redis.call('ZCOUNT', key, '-inf', wanted.high)
  local inside = is_up and redis.call('ZCOUNT', key, '-inf', wanted.high) or redis.call('ZCOUNT', key, wanted.low, '+inf')
  if not wanted.id then
    return card - outside, inside
  end
  local before = is_up and redis.call('ZCOUNT', key, '-inf', '(' .. wanted.at) or redis.call('ZCOUNT', key, '(' .. wanted.at, '+inf')
  local ties = redis.call('ZCOUNT', key, wanted.at, wanted.at)
  return math.max(card - outside, before + count_seen(key, wanted.id, before, ties, is_up)), inside
end
