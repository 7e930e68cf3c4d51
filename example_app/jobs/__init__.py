"""The jobs, one a file. A job says how to run: queue, retries, time-out. What it does is in the services."""
