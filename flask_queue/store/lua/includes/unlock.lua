-- Frees the unique lock of a job that ends, unless it ran out and another job has it now. `unique_of` keeps what the job had,
-- for an operator's retry.
local function unlock(id, job)
  if not string.find(job.flags, 'u', 1, true) then
    return
  end
  local key = string.match(redis.call('HGET', unique_of, id) or '', ' (.*)$')
  local held = key and redis.call('HGET', unique, key)
  if held and string.match(held, '^%S+') == id then
    redis.call('HDEL', unique, key)
  end
end
