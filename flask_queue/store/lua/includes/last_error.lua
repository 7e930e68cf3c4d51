-- The error of a job's last run, JSON without the traceback; '' where it has none. The last line of its history is that of this
-- run. A text inside of JSON has no quote without a backslash before it, so what is looked for is in no text. Without patterns:
-- on a long traceback they take a hundred times as long.
local function last_error(id)
  local lines = redis.call('HGET', attempts, id) or ''
  local start, line_end = 1, string.find(lines, '\n', 1, true)
  while line_end do
    start, line_end = line_end + 1, string.find(lines, '\n', line_end + 1, true)
  end
  local _, before = string.find(lines, '"error":', start, true)
  local traceback = before and string.find(lines, ',"traceback":"', before, true)
  return traceback and string.sub(lines, before + 1, traceback - 1) .. '}' or ''
end
