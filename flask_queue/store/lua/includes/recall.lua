-- The state record and message of a job that has this id, or its last record and name as `forget` remembers them; nil where
-- the id is free. Ids that we made (nonce '-') are not remembered.
local function recall(id, nonce)
  local text = redis.call('HGET', state, id)
  if text then
    return text, redis.call('HGET', jobs, id) or ''
  end
  local remembered = nonce ~= '-' and redis.call('GET', tag .. ':id:' .. id)
  if remembered then
    return string.match(remembered, '^([^\n]*)\n(.*)$')
  end
end
