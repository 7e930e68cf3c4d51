-- The failed jobs of a queue by what went wrong, the largest groups first. Reads only.
-- KEYS: state attempts errors
-- ARGV: tag, how many groups at most, how many hours to count
-- Returns: of each group: fingerprint, JSON of the group, how many jobs, when the first and the last of them failed (Unix ms),
--       error of the last (JSON without its traceback, or ''), names of the last NAME_LIMIT jobs, how many failed in each hour,
--       the oldest first
local NAME_LIMIT = 5
local HOUR_MS = 3600000
local tag, most, hours = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- @include now
-- @include error_groups
-- @include last_error

local now = now_ms()
-- When each of the hours began (Unix ms).
local bounds = {}
for n = 1, hours do
  bounds[n] = string.format('%.0f', now - now % HOUR_MS - (hours - n) * HOUR_MS)
end
-- The last word of a state record, as includes/state.lua has it: read_state takes all of them, for each of a thousand jobs.
local NAME = '^f' .. string.rep(' %S+', 13) .. ' (.+)$'

local function names_of(ids)
  local names, seen = {}, {}
  for _, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local name = text and string.match(text, NAME)
    if name and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  return names
end

-- Counted backwards, until all are: those before an hour take Redis half as long as those in it.
local function trend(key, left)
  local counts = {}
  for n = hours, 1, -1 do
    local before = left > 0 and redis.call('ZCOUNT', key, '-inf', '(' .. bounds[n]) or 0
    counts[n], left = left - before, before
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
    trend(group.key, group.count)}
end
return reply
