-- Finds, and with 'fix' frees, unique locks that no unsettled job has. They keep nobody out, but nothing else removes them.
-- KEYS: state unique
-- ARGV: 'look' or 'fix', names of locks, at most 256
-- Returns: the names of such locks
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
local is_fix = ARGV[1] == 'fix'

local found = {}
for n = 2, #ARGV do
  local held = redis.call('HGET', unique, ARGV[n])
  local text = held and redis.call('HGET', state, string.match(held, '^%S*'))
  if held and not (text and string.find(text, '^[wda]')) then
    found[#found + 1] = ARGV[n]
    if is_fix then
      redis.call('HDEL', unique, ARGV[n])
    end
  end
end
return found
