-- Finds jobs that an index lacks, so that nobody finds them by error, name or tag; with 'fix' lists them where their records say
-- that they are, and makes a group of errors anew that has lost its text.
-- KEYS: state attempts errors tags
-- ARGV: tag, 'look' or 'fix', ids, at most 256
-- Returns: the ids of such jobs
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
local tag, is_fix = ARGV[1], ARGV[2] == 'fix'
-- @include state
-- @include last_error

-- Whether the index has the job at that time; with 'fix' it has afterwards.
local function is_listed(kind, name, id, moment)
  local key = tag .. ':by:' .. kind .. ':' .. name
  if tonumber(redis.call('ZSCORE', key, id) or -1) == tonumber(moment) then
    return true
  elseif is_fix then
    redis.call('ZADD', key, moment, id)
  end
  return false
end

local function has_text(fingerprint, id)
  if redis.call('HEXISTS', errors, fingerprint) == 1 then
    return true
  elseif is_fix then
    local is_json, known = pcall(cjson.decode, last_error(id))
    known = is_json and known or {}
    redis.call('HSET', errors, fingerprint, cjson.encode({type = known.type or '', place = known.place or ''}))
  end
  return false
end

local function is_whole(id, job)
  local whole = true
  local fingerprint, name = string.match((job.state == 'f' or job.state == 'x') and job.result or '', '^(%S+) (.*)$')
  if fingerprint and fingerprint ~= '-' then
    whole = is_listed('error', fingerprint, id, job.finished)
    whole = has_text(fingerprint, id) and whole
  end
  if name and name ~= '' then
    whole = is_listed('name', name, id, job.finished) and whole
  end
  for each in string.gmatch(redis.call('HGET', tags, id) or '', '[^\n]+') do
    whole = is_listed('tag', each, id, job.created) and whole
  end
  return whole
end

local found = {}
for n = 3, #ARGV do
  local text = redis.call('HGET', state, ARGV[n])
  local job = text and read_state(text)
  if job and job.state and not is_whole(ARGV[n], job) then
    found[#found + 1] = ARGV[n]
  end
end
return found
