-- Tags: `tags` has id → a tag a line, and `by:tag:<tag>` id → when it was created (Unix ms), until the job is forgotten.
-- A job that has any is flagged g.
local function tag_job(id, lines, now)
  redis.call('HSET', tags, id, lines)
  for each in string.gmatch(lines, '[^\n]+') do
    redis.call('ZADD', tag .. ':by:tag:' .. each, string.format('%.0f', now), id)
  end
end
