-- Takes jobs off the indexes, each index in one call: `listed` has kind → name → ids.
local function list_under(listed, kind, name, id)
  listed[kind] = listed[kind] or {}
  listed[kind][name] = listed[kind][name] or {}
  table.insert(listed[kind][name], id)
end

-- Of a failed or cancelled job: see includes/index.lua.
local function list_ended(listed, id, job)
  local fingerprint, name = string.match(job.result, '^(%S+) (.*)$')
  if fingerprint and fingerprint ~= '-' then
    list_under(listed, 'error', fingerprint, id)
  end
  if name and name ~= '' then
    list_under(listed, 'name', name, id)
  end
end

local function unindex(listed)
  for kind, names in pairs(listed) do
    for name, ids in pairs(names) do
      local key = tag .. ':by:' .. kind .. ':' .. name
      redis.call('ZREM', key, unpack(ids))
      if kind == 'error' and redis.call('EXISTS', key) == 0 then
        redis.call('HDEL', errors, name)
      end
    end
  end
end
