-- The error of a job whose payload is gone: it must fail, as a job that is skipped would stay active for ever.
local MISSING_PAYLOAD = '{"type":"MissingPayload","message":"the payload of this job is not in Redis any more; was it evicted, or deleted by hand?","traceback":""}'
local MISSING_GROUP = '{"type":"MissingPayload","place":""}'
