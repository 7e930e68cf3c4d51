-- The jobs that a worker holds without knowing, because the reply of its claim was lost. Reads only.
-- KEYS: jobs state active
-- ARGV: ids that it knows of
-- Returns: id, state record, message of each other job, flat, at most 256 jobs
local HELD_LIMIT = 256

local known = {}
for _, id in ipairs(ARGV) do
  known[id] = true
end
local unknown = {}
for _, id in ipairs(redis.call('SMEMBERS', active)) do
  if not known[id] and #unknown < HELD_LIMIT * 3 then
    unknown[#unknown + 1] = id
    unknown[#unknown + 1] = redis.call('HGET', state, id)
    unknown[#unknown + 1] = redis.call('HGET', jobs, id) or ''
  end
end
return unknown
