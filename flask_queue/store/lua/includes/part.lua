-- The texts of the job that is looked at, each read once, where it is asked for.
local looked_at = {}

local function look_at(id)
  looked_at.id, looked_at.message, looked_at.attempts = id, nil, nil
  looked_at.message_lower, looked_at.attempts_lower = nil, nil
  looked_at.message_folded, looked_at.attempts_folded = nil, nil
end

local function part(name, hash)
  local text = looked_at[name]
  if not text then
    text = redis.call('HGET', hash, looked_at.id) or ''
    looked_at[name] = text
  end
  return text
end

-- The same as a needle is looked for in it: 'exact', or in 'lower' case, or 'folded': of letters outside of ASCII that is done
-- with those of `folds` alone. Each is made once.
local part_as
function part_as(how, name, hash, folds)
  if how == 'exact' then
    return part(name, hash)
  end
  local key = name .. '_' .. how
  local text = looked_at[key]
  if not text then
    if how == 'lower' then
      text = string.lower(part(name, hash))
    else
      text = string.gsub(part_as('lower', name, hash), '[\194-\244][\128-\191]+', folds or {})
    end
    looked_at[key] = text
  end
  return text
end

local function bytes_read()
  return #(looked_at.message or '') + #(looked_at.attempts or '')
end
