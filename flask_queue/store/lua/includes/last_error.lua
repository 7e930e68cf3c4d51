-- The error of a job's last run, JSON without the traceback; '' where it has none. The last line of its history is that of this
-- run. A text inside of JSON has no quote without a backslash before it.
local function last_error(id)
  local lines = redis.call('HGET', attempts, id) or ''
  local found = string.match(string.match(lines, '^.*\n(.*)$') or lines, '"error":({.*})}$') or ''
  local traceback = string.find(found, ',"traceback":"', 1, true)
  return traceback and string.sub(found, 1, traceback - 1) .. '}' or found
end
