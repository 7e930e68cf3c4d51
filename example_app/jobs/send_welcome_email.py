from flask_queue import Job

from ..services import accounts
from ..services.errors import Gone


class SendWelcomeEmail(Job):
    queue_name = "emails"
    max_retries = 5
    timeout_s = 60
    fail_on = (Gone,)

    def handle(self, user_id: int) -> None:
        accounts.send_welcome(user_id)
