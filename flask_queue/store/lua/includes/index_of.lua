-- Where an entry of `waiting` is that was at `index`, and `distance` entries from the end: it moves to the front as jobs leave
-- there, and to the back as jobs are given back there. -1 where it is gone: then all before it are gone, too, or are other
-- jobs, and nothing that stayed is left out from the front on. A job that was cancelled and retried can have several entries.
-- The first is taken, as what is seen twice does no harm, unless `is_late`: then the reading would not end.
-- NEAR entries are read; to look through the whole of a long list takes milliseconds, so only for a job that can be in it.
local NEAR = 500

local function near(key, id, last, is_late)
  local first = math.max(0, last - NEAR)
  local ids = redis.call('LRANGE', key, first, last)
  for n = 1, #ids do
    local at = is_late and #ids + 1 - n or n
    if ids[at] == id then
      return first + at - 1
    end
  end
end

local function index_of(key, id, index, distance, is_late)
  local length = redis.call('LLEN', key)
  if length == index + distance and redis.call('LINDEX', key, index) == id then
    return index
  end
  local last = math.min(index, length - distance)
  local found = last >= 0 and near(key, id, last, is_late)
  if found then
    return found
  end
  local text = redis.call('HGET', state, id)
  if text and string.find(text, '^[acdf]') then
    return -1 -- it left the list when it was claimed
  end
  return redis.call('LPOS', key, id) or -1
end
