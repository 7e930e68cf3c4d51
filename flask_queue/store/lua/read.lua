-- What is kept of jobs, all at one moment. Reads only: a transaction would be refused at maxmemory, just when an operator looks.
-- KEYS: state jobs attempts progress tags
-- ARGV: ids, at most 256
-- Returns: five lists in the order of the ids, with nil for what there is not: state records, messages, attempts, progress, tags
return {redis.call('HMGET', state, unpack(ARGV)), redis.call('HMGET', jobs, unpack(ARGV)),
  redis.call('HMGET', attempts, unpack(ARGV)), redis.call('HMGET', progress, unpack(ARGV)),
  redis.call('HMGET', tags, unpack(ARGV))}
