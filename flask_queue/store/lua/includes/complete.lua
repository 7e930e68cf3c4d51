-- Settles `count` completed runs. ARGV from `index`, of each: id, number, runtime (ms), result, flag ('t' cut, or '').
-- @include unlock
local function complete(index, count, now)
  local ids, states, ends, done, settled = {}, {}, {}, {}, {}
  for n = 1, count do
    ids[n] = ARGV[index + (n - 1) * 5]
  end
  for n, text in ipairs(redis.call('HMGET', state, unpack(ids))) do
    local at = index + (n - 1) * 5
    -- The records were all read before the first is written: a run that is settled twice here must count once.
    local job = held(ids[n], not settled[ids[n]] and text, ARGV[at + 1])
    if job then
      settled[ids[n]] = true
      end_run(job, ARGV[at + 2], now)
      count_run(job)
      if job.number ~= '1' then
        append_history(ids[n], job, 'completed', now, '')
      end
      if job.flags ~= '-' then
        unlock(ids[n], job)
      end
      job.state, job.finished, job.attempts, job.result = 'c', now, job.attempts + 1, ARGV[at + 3]
      job.flags = ARGV[at + 4] == '' and job.flags or set_flag(job.flags, ARGV[at + 4])
      done[#done + 1] = ids[n]
      ends[#ends + 1] = string.format('%.0f', now)
      ends[#ends + 1] = ids[n]
      states[#states + 1] = ids[n]
      states[#states + 1] = write_state(job)
    end
  end
  if #done > 0 then
    note('c', #done)
    redis.call('HSET', state, unpack(states))
    redis.call('SREM', active, unpack(done))
    redis.call('SREM', cancelling, unpack(done))
    redis.call('ZADD', completed, unpack(ends))
  end
end
