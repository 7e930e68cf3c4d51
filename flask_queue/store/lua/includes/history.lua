-- Appends one run to the job's attempts: a JSON object a line, oldest first. Beyond HISTORY_BYTES in all, the oldest runs
-- are dropped, whole ones.
local HISTORY_BYTES = 262144

local function append_history(id, job, outcome, now, error_json)
  local entry = string.format('{"number":%d,"outcome":"%s","started_at":%.0f,"finished_at":%.0f,"worker":"%s","error":%s}',
    job.number, outcome, job.started, now, job.worker, error_json ~= '' and error_json or 'null')
  local lines = redis.call('HGET', attempts, id) or ''
  local excess = #lines + #entry - HISTORY_BYTES
  if excess > 0 then
    local line_end = string.find(lines, '\n', excess, true)
    lines = line_end and string.sub(lines, line_end + 1) or ''
  end
  redis.call('HSET', attempts, id, lines == '' and entry or lines .. '\n' .. entry)
end
