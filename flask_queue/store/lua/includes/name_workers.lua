-- The workers that died under a job, oldest first.
local function name_workers(id, job)
  local names = {}
  local lost = '"outcome":"lost","started_at":%d+,"finished_at":%d+,"worker":"([^"]*)"'
  for name in string.gmatch(redis.call('HGET', attempts, id) or '', lost) do
    names[#names + 1] = name
  end
  names[#names + 1] = job.worker
  return table.concat(names, ', ')
end
