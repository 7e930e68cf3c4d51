-- Deletes every trace of jobs that are in no state's list any more; at most 512 ids, as Lua's unpack is limited.
-- An id that its caller chose stays remembered for an hour from its dispatch, so that a late repeat stores nothing.
-- @include unlock
-- @include unindex
local REMEMBER_MS = 3600000

local function remember(id, job, text, now)
  local left = job.created + REMEMBER_MS - now
  if job.nonce ~= '-' and left > 0 then
    local name = string.match(redis.call('HGET', jobs, id) or '', '^[^\n]*')
    redis.call('SET', tag .. ':id:' .. id, text .. '\n' .. name, 'PX', string.format('%.0f', left))
  end
  if string.find(job.flags, 'l', 1, true) then
    redis.call('UNLINK', tag .. ':logs:' .. id)
  end
  if string.find(job.flags, 'u', 1, true) then
    unlock(id, job)
    redis.call('HDEL', unique_of, id)
  end
end

-- Of one with tags, which are forgotten: see includes/tag.lua.
local function list_tags(listed, id)
  for each in string.gmatch(redis.call('HGET', tags, id) or '', '[^\n]+') do
    list_under(listed, 'tag', each, id)
  end
  redis.call('HDEL', tags, id)
end

local function forget(ids, now)
  if #ids == 0 then
    return
  end
  local listed = {}
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    -- Most have completed, and have nothing else.
    if text and string.sub(text, 1, 5) ~= 'c - -' then
      local job = read_state(text)
      remember(ids[n], job, text, now)
      if job.state ~= 'c' then
        list_ended(listed, ids[n], job)
      end
      if string.find(job.flags, 'g', 1, true) then
        list_tags(listed, ids[n])
      end
    end
  end
  unindex(listed)
  redis.call('HDEL', state, unpack(ids))
  redis.call('HDEL', jobs, unpack(ids))
  -- Most queues have none: to ask takes less than to name them all.
  for _, key in ipairs({attempts, progress}) do
    if redis.call('EXISTS', key) == 1 then
      redis.call('HDEL', key, unpack(ids))
    end
  end
end
