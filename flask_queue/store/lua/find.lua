-- Finds jobs in one place: of its next ids those that may be wanted, looking at them one by one. Reads only.
-- KEYS: state jobs attempts progress tags workers
-- ARGV: tag, JSON of what is wanted: see store/finder.py, then ids, only where the order is 'given'
-- Returns: how many ids were looked at, 1 where these were the last, id and position (see includes/next_ids.lua) of the last of
--       them, then a list of each job found: id, its position, how many were looked at up to it, and unless only ids are wanted
--       its state record, message, attempts, progress, tags; a message longer than `cut` bytes comes cut, with one byte more
-- Redis holds one message at a time, and stops after the one that makes `bytes` full, or once it took `seconds`.
-- @include state
-- @include tombstone
-- @include next_ids
-- @include is_wanted
-- @include clock
local CHUNK = 64
-- Bytes of a job's texts from which looking for others in them takes so long that the time is looked at after each job.
local LARGE = 1024

local wanted = cjson.decode(ARGV[2])
local ids, positions, is_last = next_ids(wanted)
local looked, bytes, reply = 0, 0, {}

local function add(n, record)
  local found = {ids[n], positions[n], n}
  if not wanted.ids_only then
    local message = part('message', jobs)
    found[4], found[5] = record, wanted.cut and string.sub(message, 1, wanted.cut + 1) or message
    found[6], found[7] = part('attempts', attempts), redis.call('HGET', progress, ids[n]) or ''
    found[8] = redis.call('HGET', tags, ids[n]) or ''
  end
  reply[#reply + 1] = found
end

local function is_full()
  return #reply == wanted.most or bytes >= wanted.bytes
end

local began = clock()
local function is_late()
  return clock() - began >= wanted.seconds
end

while looked < #ids and not is_full() and (looked == 0 or not is_late()) do
  local records = redis.call('HMGET', state, unpack(ids, looked + 1, math.min(looked + CHUNK, #ids)))
  for n = 1, #records do
    looked = looked + 1
    if records[n] then
      look_at(ids[looked])
      if is_wanted(wanted, records[n]) then
        add(looked, records[n])
      end
      bytes = bytes + #records[n] + bytes_read()
      if is_full() or (bytes_read() > LARGE and is_late()) then
        break
      end
    end
  end
end
return {looked, is_last and looked == #ids and 1 or 0, ids[looked] or '', positions[looked] or '', reply}
