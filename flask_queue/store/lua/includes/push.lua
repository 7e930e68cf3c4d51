-- Puts a job that is ready to run at the end of its priority level, or at the front of it.
-- A score is level × 2^44 + sequence, lowest first: equal scores would order by id. Higher priorities run first, so the
-- level is the negated priority; priority 0 lives in the list, between the scores below and above 0.
-- Sequences stay within ± 2^43, so a level never reaches into the next.
local LEVEL = 2 ^ 44

local function push(id, priority, front)
  priority = tonumber(priority)
  if priority == 0 then
    redis.call(front and 'LPUSH' or 'RPUSH', waiting, id)
    return
  end
  local sequence = redis.call('HINCRBY', meta, front and 'front' or 'sequence', front and -1 or 1)
  redis.call('ZADD', prioritized, string.format('%.0f', -priority * LEVEL + sequence), id)
end
