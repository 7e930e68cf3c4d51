-- All that Redis has of jobs: id, state record, message, attempts, tags of each, one after the other; '' for what is not there.
local function show(ids)
  local shown = {}
  for _, id in ipairs(ids) do
    shown[#shown + 1] = id
    for _, key in ipairs({state, jobs, attempts, tags}) do
      shown[#shown + 1] = redis.call('HGET', key, id) or ''
    end
  end
  return shown
end
