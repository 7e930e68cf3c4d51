"""Actions on many jobs: on those that were selected, and step by step on all that match."""

from __future__ import annotations

#: Of an action: what it does to a job, and how a message tells that it was done.
WORDS = {
    "retry": ("run again", "put back to waiting"),
    "promote": ("run now instead of later", "promoted"),
    "cancel": ("cancelled, or asked to stop where they run", "cancelled"),
    "delete": ("deleted, and cannot be brought back", "deleted"),
}
