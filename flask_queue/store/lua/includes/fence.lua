-- The fence: whoever still holds a job, under this run number, may settle it. All others are late, and change nothing.
local late = {}

local function note_late(id, number)
  late[#late + 1] = id .. ' ' .. number
end

local function held(id, text, number)
  if text then
    local job = read_state(text)
    if job.state == 'a' and job.worker == worker and job.number == number then
      return job
    end
  end
  note_late(id, number)
end
