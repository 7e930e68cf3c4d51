-- Settles `count` completed runs. ARGV from `index`, of each: id, number, runtime (ms), result, flag ('t' cut, or '').
-- @include unlock
-- The state record of a run: nonce, flags, attempts, number, recoveries and priority, created, due, worker. What most jobs come
-- to is written from these, without a table of all words: that takes three times as long.
local RUN_PATTERN = '^a (%S+) (%S+) (%d+) (%d+) (%d+ %-?%d+) (%d+) (%d+) %d+ %d+ %d+ (%S+) '

local function complete(index, count, now)
  local ids, states, ends, done, settled, time = {}, {}, {}, {}, {}, string.format('%.0f', now)
  for n = 1, count do
    ids[n] = ARGV[index + (n - 1) * 5]
  end
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local id, at = ids[n], index + (n - 1) * 5
    local nonce, flags, spent, number, rest, created, due, holder
    -- The records were all read before the first is written: a run that is settled twice here must count once.
    if text and not settled[id] then
      nonce, flags, spent, number, rest, created, due, holder = string.match(text, RUN_PATTERN)
    end
    if holder ~= worker or number ~= ARGV[at + 1] then
      note_late(id, ARGV[at + 1])
    else
      settled[id] = true
      local run_ms, started = run_time(ARGV[at + 2], now)
      count_run(run_ms, number, created, due, started)
      if number ~= '1' then
        append_history(id, {number = number, started = started, worker = worker}, 'completed', now, '')
      end
      if flags ~= '-' then
        unlock(id, {flags = flags})
      end
      if ARGV[at + 4] ~= '' then
        flags = set_flag(flags, ARGV[at + 4])
      end
      local size = #done
      done[size + 1] = id
      ends[2 * size + 1], ends[2 * size + 2] = time, id
      states[2 * size + 1] = id
      states[2 * size + 2] = 'c ' .. nonce .. ' ' .. flags .. ' ' .. spent + 1 .. ' ' .. number .. ' ' .. rest .. ' ' .. created
        .. ' ' .. due .. ' ' .. started .. ' ' .. time .. ' ' .. run_ms .. ' ' .. worker .. ' ' .. ARGV[at + 3]
    end
  end
  if #done > 0 then
    note('c', #done)
    redis.call('HSET', state, unpack(states))
    redis.call('SREM', active, unpack(done))
    if redis.call('EXISTS', cancelling) == 1 then
      redis.call('SREM', cancelling, unpack(done))
    end
    redis.call('ZADD', completed, unpack(ends))
  end
end
