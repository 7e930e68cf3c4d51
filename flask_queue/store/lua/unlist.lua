-- Finds, and with 'fix' removes, entries of a list whose jobs are gone, or are elsewhere by their records. The list of what
-- waits is not among them: there such entries are tombstones, which claims skip.
-- KEYS: state prioritized delayed active completed failed cancelled
-- ARGV: 'look' or 'fix', which list (a name of PLACES), the worker of `active`, ids, at most 256
-- Returns: the ids of such entries
-- If the caller dies: all or nothing of a call is done; sent again there is nothing left.
-- @include state
local PLACES = {
  prioritized = {key = prioritized, letter = 'w'}, delayed = {key = delayed, letter = 'd'},
  active = {key = active, letter = 'a'}, completed = {key = completed, letter = 'c'},
  failed = {key = failed, letter = 'f'}, cancelled = {key = cancelled, letter = 'x'},
}
local is_fix, name, worker = ARGV[1] == 'fix', ARGV[2], ARGV[3]
local place = PLACES[name]

local function belongs(text)
  local job = text and read_state(text)
  if not job then
    return false
  elseif not job.state then
    return true -- a record that cannot be read says nothing
  end
  return job.state == place.letter and (name ~= 'prioritized' or job.priority ~= '0')
    and (name ~= 'active' or job.worker == worker)
end

local found = {}
for n = 4, #ARGV do
  local is_listed
  if name == 'active' then
    is_listed = redis.call('SISMEMBER', active, ARGV[n]) == 1
  else
    is_listed = redis.call('ZSCORE', place.key, ARGV[n])
  end
  if is_listed and not belongs(redis.call('HGET', state, ARGV[n])) then
    found[#found + 1] = ARGV[n]
    if is_fix then
      redis.call(name == 'active' and 'SREM' or 'ZREM', place.key, ARGV[n])
    end
  end
end
return found
