-- Whether an entry of `waiting` is a tombstone, by the state record of its id: cancel and delete leave the entry behind, as to
-- look for it takes 22 ms in a list of a million. A job that waits again under the same id brings its entry back to life,
-- unless it has a priority, and so waits elsewhere.
local function is_tombstone(text)
  return not text or string.sub(text, 1, 1) ~= 'w' or read_state(text).priority ~= '0'
end
