-- Whether a job may be what is wanted: the readers look at those again of which a text is wanted, as they know what is secret.
-- @include part
local function is_in_time(wanted, record)
  if not wanted.since and not wanted.till then
    return true
  end
  local job = read_state(record)
  local moment = tonumber(string.find('cfx', job.state, 1, true) and job.finished or job.created)
  return moment and moment >= (wanted.since or 0) and moment <= (wanted.till or math.huge)
end

local function begins_with_one(beginnings)
  for _, beginning in ipairs(beginnings) do
    if string.sub(looked_at.id, 1, #beginning) == beginning then
      return true
    end
  end
  return false
end

local function is_in_all(indexes)
  for _, name in ipairs(indexes) do
    if not redis.call('ZSCORE', ARGV[1] .. ':' .. name, looked_at.id) then
      return false
    end
  end
  return true
end

local function has_name(names)
  local message = part('message', jobs)
  for _, name in ipairs(names) do
    if string.sub(message, 1, #name + 1) == name .. '\n' then
      return true
    end
  end
  return false
end

local function occurs(texts, where)
  for n = 1, #texts do
    if string.find(where, texts[n], 1, true) then
      return true
    end
  end
  return false
end

-- Whether a needle may be in a part of the job. What is longer than LONG_BYTES is not folded here, which takes 10 ms a
-- megabyte: the readers do that.
local LONG_BYTES = 131072

local function may_be_in(needle, name, hash, folds)
  return needle.how ~= 'exact' and #part(name, hash) > LONG_BYTES
    or occurs(needle.texts, part_as(needle.how, name, hash, folds))
end

local function has(needle, letter, folds)
  return needle.in_id and occurs(needle.texts, string.lower(looked_at.id))
    or needle.in_message and may_be_in(needle, 'message', jobs, folds)
    -- Only what did not complete, nor was cancelled, has an error.
    or needle.in_attempts and letter ~= 'c' and letter ~= 'x' and may_be_in(needle, 'attempts', attempts, folds)
end

local function has_all(needles, letter, folds)
  for n = 1, #needles do
    if not has(needles[n], letter, folds) then
      return false
    end
  end
  return true
end

local function is_wanted(wanted, record)
  local letter = string.sub(record, 1, 1)
  return string.find(wanted.letters, letter, 1, true)
    and not (wanted.order == 'list' and is_tombstone(record))
    and is_in_time(wanted, record)
    and (not wanted.beginnings or begins_with_one(wanted.beginnings))
    and (not wanted.indexes or is_in_all(wanted.indexes))
    and (not wanted.names or has_name(wanted.names))
    and (not wanted.needles or has_all(wanted.needles, letter, wanted.folds))
end
