"""What the application does. Services know nothing of queues and requests: jobs, pages, tests and shells call them."""
