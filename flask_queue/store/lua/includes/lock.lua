-- Unique locks: `unique` has key → 'id until (Unix ms)', `unique_of` has id → 'for_ms key' of each job that asked for one.
-- A job that has a lock, or had one, is flagged u.

-- The id and state record of the unsettled job that has this key, other than a lock that ran out.
local function lock_holder(lock, now)
  local held = redis.call('HGET', unique, string.match(lock, ' (.*)$'))
  local id, until_ms = string.match(held or '', '^(%S+) (%d+)$')
  if id and tonumber(until_ms) > now then
    local text = redis.call('HGET', state, id)
    -- A record that was deleted by hand took its lock along.
    if text and string.find(text, '^[wda]') then
      return id, text
    end
  end
end

local function take_lock(id, lock, now)
  local for_ms, key = string.match(lock, '^(%d+) (.*)$')
  redis.call('HSET', unique, key, string.format('%s %.0f', id, now + for_ms))
  redis.call('HSET', unique_of, id, lock)
end
