-- Finds, and with 'fix' deletes, what jobs that are gone have left behind: payload, runs, progress, the key of a unique lock,
-- tags, log lines; and requests to stop of jobs that are not active.
-- KEYS: jobs state attempts progress cancelling unique_of tags
-- ARGV: tag, 'look' or 'fix', ids, at most 256
-- Returns: the ids of which there was something
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
local tag, is_fix = ARGV[1], ARGV[2] == 'fix'
local in_hash, in_set, as_key = 'HEXISTS', 'SISMEMBER', 'EXISTS'
if is_fix then
  in_hash, in_set, as_key = 'HDEL', 'SREM', 'UNLINK'
end

local function left_behind(id)
  local count = redis.call(in_set, cancelling, id) + redis.call(as_key, tag .. ':logs:' .. id)
  for _, key in ipairs({jobs, attempts, progress, unique_of, tags}) do
    count = count + redis.call(in_hash, key, id)
  end
  return count
end

local found = {}
for n = 3, #ARGV do
  local id = ARGV[n]
  local text = redis.call('HGET', state, id)
  local count = 0
  if not text then
    count = left_behind(id)
  elseif string.sub(text, 1, 1) ~= 'a' then
    count = redis.call(in_set, cancelling, id)
  end
  if count > 0 then
    found[#found + 1] = id
  end
end
return found
