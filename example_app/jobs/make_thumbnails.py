from flask_queue import Job

from ..services import thumbnails
from ..services.errors import Gone, Invalid


class MakeThumbnails(Job):
    queue_name = "images"
    timeout_s = 120
    fail_on = (Gone, Invalid)  # another run would find the same image

    def handle(self, upload_id: int) -> list[str]:
        return thumbnails.make(upload_id)
