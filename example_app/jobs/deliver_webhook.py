from flask_queue import Backoff, Job

from ..services import webhooks
from ..services.errors import Gone


class DeliverWebhook(Job):
    max_retries = 6
    backoff = Backoff.exponential(min_s=1, max_s=600)
    timeout_s = 30
    fail_on = (Gone, webhooks.DeliveryRefused)

    def handle(self, delivery_id: int) -> None:
        webhooks.deliver(delivery_id)
