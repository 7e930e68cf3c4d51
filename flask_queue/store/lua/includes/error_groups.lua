-- The groups of failed jobs, largest first: {fingerprint, text (JSON), key (of its index), count}; see includes/index.lua.
-- Only GROUP_LIMIT are looked at, whichever Redis picks where there are more: what bounds their number is that of failed jobs.
local GROUP_LIMIT = 2000

local function error_groups()
  local is_many = redis.call('HLEN', errors) > GROUP_LIMIT
  local flat = is_many and redis.call('HRANDFIELD', errors, GROUP_LIMIT, 'WITHVALUES') or redis.call('HGETALL', errors)
  local found = {}
  for n = 1, #flat, 2 do
    local key = tag .. ':by:error:' .. flat[n]
    found[#found + 1] = {fingerprint = flat[n], text = flat[n + 1], key = key, count = redis.call('ZCARD', key)}
  end
  table.sort(found, function(left, right)
    return left.count > right.count or left.count == right.count and left.fingerprint < right.fingerprint
  end)
  return found
end
