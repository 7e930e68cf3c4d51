-- Stores jobs of one queue, waiting or delayed. An id that exists, or is remembered, is not stored again, nor is a job whose
-- unique key an unsettled one has.
-- KEYS: jobs state waiting prioritized delayed attempts progress wake meta unique unique_of
--       minute minutes hours tags
-- ARGV: tag, then of each job (at most 256): id, message,
--       due ('' now, '+ms' after now, 'ms' Unix time), priority, nonce ('-' where we made the id), unique lock (its ms and
--       key, '' none), tags (one a line, '' none)
-- Returns: now (Unix ms), then for each job that existed: its position from 0, and of the one that exists id, state record,
--       message, attempts, progress, tags. A repeat of the same call (same nonce) counts as stored: the caller re-sent what it had
--       not heard of.
local tag = ARGV[1]
-- @include plain
-- @include now
-- @include state
-- @include wake
-- @include recall
-- @include lock
-- @include tally
-- @include add

local now = now_ms()
local reply = {string.format('%.0f', now)}
local waits = false

local function report(position, id, text, message)
  local index = #reply
  reply[index + 1], reply[index + 2], reply[index + 3], reply[index + 4] = position, id, text, message
  reply[index + 5] = redis.call('HGET', attempts, id) or ''
  reply[index + 6] = redis.call('HGET', progress, id) or ''
  reply[index + 7] = redis.call('HGET', tags, id) or ''
end

local seen = look_up(2, 7)
for at = 2, #ARGV, 7 do
  local id, message, due, priority, nonce, lock, lines = unpack(ARGV, at, at + 6)
  if nonce ~= '-' or lock ~= '' then
    -- Who has this id, or this key, may be among those before it.
    write_added()
  end
  local text, known = recall(id, nonce, seen)
  local holder, held
  if not text and lock ~= '' then
    holder, held = lock_holder(lock, now)
  end
  if holder then
    report((at - 2) / 7, holder, held, redis.call('HGET', jobs, holder) or '')
  elseif not text then
    waits = add(id, message, due, priority, nonce, lock, lines, now) == 'w' or waits
    note('d', 1)
  elseif nonce == '-' or read_state(text).nonce ~= nonce then
    report((at - 2) / 7, id, text, known)
  end
end
write_added()
write_tally(now)
if waits then
  wake_worker()
end
return reply
