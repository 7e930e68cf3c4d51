-- At maxmemory Redis refuses a script whose first write could need memory, and runs one whose first write cannot. So this
-- changes nothing, and lets workers settle, keep their leases and make room while dispatches are refused.
redis.call('ZREM', workers, '')
