-- Notes how far a job is. A job that is gone notes nothing.
-- KEYS: state progress
-- ARGV: id, 'done total'
-- Returns: 1 noted, 0 no such job
if redis.call('HEXISTS', state, ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', progress, ARGV[1], ARGV[2])
return 1
