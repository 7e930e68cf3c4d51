-- Asks living workers to do something; each sees it with its next report.
-- KEYS: workers requests
-- ARGV: lease_ms, request (quiet, restart, stop), worker, or nothing for all
-- Returns: the workers that were asked
-- @include now
local RANK = {quiet = 1, restart = 2, stop = 3}

local lease_ms, request, one = ARGV[1], ARGV[2], ARGV[3]
local asked = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', workers, string.format('(%.0f', now_ms() - lease_ms), '+inf')) do
  if not one or one == worker then
    -- Who is to end need not be told to be quiet, too.
    if (RANK[redis.call('HGET', requests, worker)] or 0) < RANK[request] then
      redis.call('HSET', requests, worker, request)
    end
    asked[#asked + 1] = worker
  end
end
return asked
