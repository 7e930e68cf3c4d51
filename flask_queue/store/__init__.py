"""All that knows Redis: connections, keys, scripts, transitions (write) and queries (read)."""
