-- Finds a worker that holds jobs without a lease, so that nobody would take them back; with 'fix' gives it one that is over.
-- KEYS: active workers
-- ARGV: 'look' or 'fix', worker
-- Returns: 1 it was such a worker, 0 it was not
-- If the caller dies: it is done or not; sent again it changes nothing.
if redis.call('SCARD', active) == 0 or redis.call('ZSCORE', workers, ARGV[2]) then
  return 0
end
if ARGV[1] == 'fix' then
  redis.call('ZADD', workers, '1', ARGV[2])
end
return 1
