"""Every queue of the application, and how many of its jobs one worker process runs at a time."""

from flask_queue import Queue

QUEUES = [
    Queue("default", concurrency=2),
    Queue("emails", concurrency=4),  # waits for the mail server most of the time
    Queue("images", concurrency=1),  # keeps one core busy
]
