"""flask-queue and its peers, measured side by side: `nox -s bench` (see docs/how-fast.md)."""
