-- The living workers, each with its last beat and what it shows of itself. Reads only.
-- KEYS: workers info requests
-- ARGV: lease_ms
-- Returns: now (Unix ms), then of each worker: id, last beat (Unix ms), time of its report (Unix ms) with JSON, what it
-- is asked to do or '', flat
-- @include now

local now = now_ms()
local found = {string.format('%.0f', now)}
local alive = redis.call('ZRANGEBYSCORE', workers, string.format('(%.0f', now - ARGV[1]), '+inf', 'WITHSCORES')
for n = 1, #alive, 2 do
  local shown = redis.call('HGET', info, alive[n])
  if shown then
    found[#found + 1] = alive[n]
    found[#found + 1] = alive[n + 1]
    found[#found + 1] = shown
    found[#found + 1] = redis.call('HGET', requests, alive[n]) or ''
  end
end
return found
