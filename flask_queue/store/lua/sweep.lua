-- Takes tombstones off the front of the waiting list, at most 512.
-- KEYS: state waiting meta
-- ARGV: none
-- Returns: how many; called until it is 0, what a bulk delete left at the front is gone
-- If the caller dies: whoever claims sweeps the rest.
-- @include sweep

return sweep()
