-- The flags of a job with one more of them.
local function set_flag(flags, flag)
  if string.find(flags, flag, 1, true) then
    return flags
  end
  return flags == '-' and flag or flags .. flag
end
