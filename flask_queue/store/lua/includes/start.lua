-- Notes that `count` jobs which this worker had claimed ahead have started. ARGV from `index`, of each: id, number.
local function start_claimed(index, count, now)
  for at = index, index + 2 * count - 1, 2 do
    local id = ARGV[at]
    local job = held(id, redis.call('HGET', state, id), ARGV[at + 1])
    if job then
      job.started = now
      redis.call('HSET', state, id, write_state(job))
    end
  end
end
