-- Ends the wait of a worker, which waits for a marker of this key as well.
-- KEYS: poke
-- ARGV: expiry (ms), should nobody read it
-- Returns: nothing; sent again it changes nothing
local expiry_ms = ARGV[1]

-- At maxmemory Redis refuses a script whose first write could need memory, and runs one whose first write cannot.
redis.call('ZREM', poke, '')
redis.call('ZADD', poke, 0, '1')
redis.call('PEXPIRE', poke, expiry_ms)
