-- What Prometheus reads of the queue. Reads only.
-- KEYS: state waiting prioritized delayed workers completed failed cancelled meta minute hours
-- ARGV: tag
-- Returns: what was counted before the newest minute, as includes/tally.lua keeps it ('' for nothing yet); what was counted in that
--       minute, flat; how many jobs are in each state, as includes/count_states.lua; how long the next job has been waiting
--       (ms, -1 none); 1 while it is paused, else 0
-- @include now
-- @include state
-- @include count_states
-- @include oldest_wait
return {redis.call('HGET', hours, 'total') or '', redis.call('HGETALL', minute), count_states(ARGV[1]), oldest_wait(now_ms()),
  redis.call('HEXISTS', meta, 'paused')}
