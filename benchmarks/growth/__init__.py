"""How costs grow with jobs and queues: `nox -s growth` (see docs/how-fast.md)."""
