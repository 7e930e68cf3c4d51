-- The state records of jobs that exist, by id: of those in every so many arguments.
local function look_up(first, step)
  local ids, found = {}, {}
  for at = first, #ARGV, step do
    ids[#ids + 1] = ARGV[at]
  end
  for index, text in ipairs(#ids > 0 and redis.call('HMGET', state, unpack(ids)) or {}) do
    found[ids[index]] = text
  end
  return found
end

-- The state record and message of a job that has this id, or its last record and name as `forget` remembers them; nil where
-- the id is free. Ids that we made (nonce '-') are not remembered, and those `seen` before all else are all there are.
local function recall(id, nonce, seen)
  local text = nonce == '-' and seen[id]
  if nonce ~= '-' then
    text = redis.call('HGET', state, id)
  end
  if text then
    return text, redis.call('HGET', jobs, id) or ''
  end
  local remembered = nonce ~= '-' and redis.call('GET', tag .. ':id:' .. id)
  if remembered then
    return string.match(remembered, '^([^\n]*)\n(.*)$')
  end
end
