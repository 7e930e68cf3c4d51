-- Appends one run to the job's attempts: a JSON object a line, oldest first, oldest lines dropped beyond the limit.
local HISTORY_BYTES = 262144

local function append_history(id, job, outcome, now, error_json)
  local entry = string.format('{"number":%d,"outcome":"%s","started_at":%.0f,"finished_at":%.0f,"worker":"%s","error":%s}',
    job.number, outcome, job.started, now, job.worker, error_json ~= '' and error_json or 'null')
  local lines = redis.call('HGET', attempts, id)
  if lines then
    while #lines + #entry > HISTORY_BYTES and string.find(lines, '\n', 1, true) do
      lines = string.sub(lines, string.find(lines, '\n', 1, true) + 1)
    end
    entry = lines .. '\n' .. entry
  end
  redis.call('HSET', attempts, id, entry)
end
