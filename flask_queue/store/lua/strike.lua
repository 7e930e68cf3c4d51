-- Finds, and with 'fix' removes, entries of an index whose jobs are gone, or are not listed there by their records; see
-- includes/index.lua and includes/tag.lua.
-- KEYS: state errors tags
-- ARGV: tag, 'look' or 'fix', kind of the index (error, name or tag), what it is of (fingerprint, name or tag), ids, at most 256
-- Returns: the ids of such entries; and the fingerprint of a group of errors that has no jobs
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
local tag, is_fix, kind, name = ARGV[1], ARGV[2] == 'fix', ARGV[3], ARGV[4]
-- @include state
local key = tag .. ':by:' .. kind .. ':' .. name

local function belongs(id)
  local text = redis.call('HGET', state, id)
  if not text then
    return false
  elseif kind == 'tag' then
    local lines = '\n' .. (redis.call('HGET', tags, id) or '') .. '\n'
    return string.find(lines, '\n' .. name .. '\n', 1, true)
  end
  local job = read_state(text)
  if not job.state then
    return true -- a record that cannot be read says nothing
  end
  local fingerprint, its_name = string.match(job.result, '^(%S+) (.*)$')
  local is_ended = job.state == 'f' or job.state == 'x'
  return is_ended and (kind == 'error' and fingerprint or its_name) == name
end

local found = {}
for n = 5, #ARGV do
  if redis.call('ZSCORE', key, ARGV[n]) and not belongs(ARGV[n]) then
    found[#found + 1] = ARGV[n]
    if is_fix then
      redis.call('ZREM', key, ARGV[n])
    end
  end
end
if kind == 'error' and redis.call('EXISTS', key) == 0 and redis.call('HEXISTS', errors, name) == 1 then
  found[#found + 1] = name
  if is_fix then
    redis.call('HDEL', errors, name)
  end
end
return found
