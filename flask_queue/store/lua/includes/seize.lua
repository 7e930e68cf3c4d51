-- Takes up to SEIZE_LIMIT jobs out of a worker's hands: {id, job} of each that it still has, latest start first, as each of
-- them is to go to the very front of its queue: the earliest ends up there. Those that were claimed together are in the order
-- in which they were stored.
local SEIZE_LIMIT = 256

local function by_start(left, right)
  if left.job.started ~= right.job.started then
    return tonumber(left.job.started) > tonumber(right.job.started)
  elseif left.job.created ~= right.job.created then
    return tonumber(left.job.created) > tonumber(right.job.created)
  end
  return left.id > right.id
end

local function seize(worker)
  local seized = {}
  for _, id in ipairs(redis.call('SPOP', tag .. ':active:' .. worker, SEIZE_LIMIT)) do
    local text = redis.call('HGET', state, id)
    local job = text and read_state(text)
    if job and job.state == 'a' and job.worker == worker then
      seized[#seized + 1] = {id = id, job = job}
    end
  end
  table.sort(seized, by_start)
  return seized
end
