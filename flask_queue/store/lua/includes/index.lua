-- The indexes of failed and cancelled jobs: `by:error:<fingerprint>` and `by:name:<name>`, id → when it ended (Unix ms). Their
-- records have in place of a result what they are listed under: 'fingerprint name', the fingerprint - for a cancelled job,
-- the name empty where the payload is gone.
-- `errors` has fingerprint → group, JSON with type and place, of each group that has jobs.
local FINGERPRINT = 12

-- Of one that is cancelled, the group is nil. The caller writes the record.
local function index(id, job, group)
  local finished = string.format('%.0f', job.finished)
  local fingerprint, name = '-', string.match(redis.call('HGET', jobs, id) or '', '^[^\n]*')
  if group then
    fingerprint = string.sub(redis.sha1hex(group), 1, FINGERPRINT)
    redis.call('HSET', errors, fingerprint, group)
    redis.call('ZADD', tag .. ':by:error:' .. fingerprint, finished, id)
  end
  if name ~= '' then
    redis.call('ZADD', tag .. ':by:name:' .. name, finished, id)
  end
  job.result = fingerprint .. ' ' .. name
end
