-- One job for now, with nothing special about it, as most calls bring: the same as below, without functions that it does not
-- need, which would take longer than all of its commands. Not for an id that exists, nor for the first in a minute.
if #ARGV == 8 and table.concat(ARGV, ',', 4, 8) == ',0,-,,' then
  local id, time = ARGV[2], redis.call('TIME')
  local now = time[1] .. string.format('%03d', time[2] / 1000)
  if redis.call('HGET', minute, 'at') == string.format('%d', time[1] / 60)
    and redis.call('HSETNX', state, id, 'w - - 0 0 0 0 ' .. now .. ' 0 0 0 0 - ') == 1 then
    redis.call('HSET', jobs, id, ARGV[3])
    redis.call('RPUSH', waiting, id)
    redis.call('HINCRBY', minute, 'd', 1)
    redis.call('ZADD', wake, 0, '1')
    return {now}
  end
end
