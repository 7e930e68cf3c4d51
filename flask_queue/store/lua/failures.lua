-- The failed jobs of a queue by what went wrong, the largest groups first. Reads only.
-- KEYS: state attempts errors
-- ARGV: tag, how many groups at most, how many hours to count
-- Returns: of each group: fingerprint, JSON of the group, how many jobs, when the first and the last of them failed (Unix ms),
--       error of the last (JSON without its traceback, or ''), names of the last NAME_LIMIT jobs, how many failed in each hour,
--       the oldest first
local NAME_LIMIT = 10
local HOUR_MS = 3600000
local tag, most, hours = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- @include now
-- @include state
-- @include error_groups
-- @include last_error

local now = now_ms()
local this_hour = now - now % HOUR_MS

local function names_of(ids)
  local names, seen = {}, {}
  for _, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local name = text and string.match(read_state(text).result or '', '^%S+ (.+)$')
    if name and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  return names
end

local function trend(key, last)
  local counts = {}
  for n = 1, hours do
    local from = this_hour - (hours - n) * HOUR_MS
    local to = string.format('(%.0f', from + HOUR_MS)
    counts[n] = last < from and 0 or redis.call('ZCOUNT', key, string.format('%.0f', from), to)
  end
  return counts
end

local reply = {}
for n, group in ipairs(error_groups()) do
  if n > most or group.count == 0 then
    break
  end
  local newest = redis.call('ZRANGE', group.key, -NAME_LIMIT, -1)
  local first = redis.call('ZRANGE', group.key, 0, 0, 'WITHSCORES')[2]
  local last = redis.call('ZSCORE', group.key, newest[#newest])
  reply[n] = {group.fingerprint, group.text, group.count, first, last, last_error(newest[#newest]), names_of(newest),
    trend(group.key, tonumber(last))}
end
return reply
