-- Takes a job that waits or is delayed out of the lists of what is to run.
local function withdraw(id, job)
  if job.state == 'd' then
    redis.call('ZREM', delayed, id)
  elseif job.priority ~= '0' then
    redis.call('ZREM', prioritized, id)
  else
    redis.call('HINCRBY', meta, 'tombstones', 1)
  end
end
