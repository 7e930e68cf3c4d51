-- Whether an operator asked this job to stop. Called where it leaves `active`: with that the request is done with.
local function was_asked_to_stop(id)
  return redis.call('SREM', cancelling, id) == 1
end
