-- The texts of the job that is looked at, each read once, where it is asked for.
local looked_at = {}

local function look_at(id)
  looked_at.id, looked_at.message, looked_at.attempts = id, nil, nil
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

local FOLDED = {message = 'message_folded', attempts = 'attempts_folded'}

-- The same in lower case. Of letters outside of ASCII that is true of those of `folds` alone.
local function folded(name, hash, folds)
  local text = looked_at[FOLDED[name]]
  if not text then
    text = string.lower(part(name, hash))
    if folds then
      text = string.gsub(text, '[\194-\244][\128-\191]+', folds)
    end
    looked_at[FOLDED[name]] = text
  end
  return text
end

local function bytes_read()
  return #(looked_at.message or '') + #(looked_at.attempts or '')
end
