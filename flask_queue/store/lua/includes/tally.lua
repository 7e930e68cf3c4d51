-- What happened on the queue, for charts. `minute` has the counts of the newest minute in which anything did: at (the minute's
-- number since 1970), d dispatched, c completed, f failed, a run again, and two histograms of runs that spent an attempt:
-- r<bucket> their lengths, w<bucket> their waits, with R and W their sums in ms. Bucket 0 is below a millisecond, bucket n from
-- 1.2^(n-1) to 1.2^n ms. Once another minute begins it moves to `minutes` and is added to `hours`: number of the minute or hour
-- → 'name count …'; `total` there has all that was ever added, for readers who want counters that never fall.
local KEEP_MINUTES, KEEP_HOURS = 1440, 168
-- Old ones are looked for once there are so many more, not each time.
local SLACK = 60
local MINUTE_MS, HOUR_MS = 60000, 3600000
local LOG_STEP = math.log(1.2)

local tally = {}

local function note(name, by)
  tally[name] = (tally[name] or 0) + by
end

-- Names of buckets by milliseconds: many runs are about as long.
local run_buckets, wait_buckets = {}, {}

local function bucket(names, letter, ms)
  local name = names[ms]
  if not name then
    name = letter .. (ms < 1 and 0 or 1 + math.floor(math.log(ms) / LOG_STEP))
    names[ms] = name
  end
  return name
end

-- A run that spent an attempt, once the record has its start and its length. Since when a job waits that an operator retried,
-- or that was given back or lost in its first run, its record does not tell.
local function count_run(run_ms, number, created, due, started)
  note(bucket(run_buckets, 'r', run_ms), 1)
  note('R', run_ms)
  if number == '1' or due ~= '0' then
    local wait_ms = math.max(0, started - math.max(created, due))
    note(bucket(wait_buckets, 'w', wait_ms), 1)
    note('W', wait_ms)
  end
end

local function count_run_of(job)
  count_run(job.runtime, job.number, job.created, job.due, job.started)
end

local function add_counts(hash, field, counts)
  local sums, parts = {}, {}
  for name, number in string.gmatch(redis.call('HGET', hash, field) or '', '(%w+) (%d+)') do
    sums[name] = number
  end
  for n = 1, #counts, 2 do
    sums[counts[n]] = (sums[counts[n]] or 0) + counts[n + 1]
  end
  sums.at = nil
  for name, number in pairs(sums) do
    parts[#parts + 1] = string.format('%s %.0f', name, number)
  end
  redis.call('HSET', hash, field, table.concat(parts, ' '))
end

-- Drops what is too old, and lets the rest go with a queue that nobody uses.
local function prune(hash, newest, keep, unit_ms)
  redis.call('PEXPIRE', hash, string.format('%.0f', keep * unit_ms))
  if redis.call('HLEN', hash) <= keep + SLACK then
    return
  end
  for _, field in ipairs(redis.call('HKEYS', hash)) do
    if (tonumber(field) or newest) <= newest - keep then
      redis.call('HDEL', hash, field)
    end
  end
end

local function begin_minute(number)
  local before = redis.call('HGET', minute, 'at')
  if before == number then
    return
  elseif before then
    local counts, hour = redis.call('HGETALL', minute), math.floor(before / 60)
    add_counts(minutes, before, counts)
    add_counts(hours, string.format('%.0f', hour), counts)
    add_counts(hours, 'total', counts)
    prune(minutes, before, KEEP_MINUTES, MINUTE_MS)
    prune(hours, hour, KEEP_HOURS, HOUR_MS)
    redis.call('DEL', minute)
  end
  redis.call('HSET', minute, 'at', number)
  redis.call('PEXPIRE', minute, string.format('%.0f', KEEP_HOURS * HOUR_MS))
end

local function write_tally(now)
  if next(tally) then
    begin_minute(string.format('%.0f', math.floor(now / MINUTE_MS)))
    for name, by in pairs(tally) do
      redis.call('HINCRBY', minute, name, by)
    end
  end
end
