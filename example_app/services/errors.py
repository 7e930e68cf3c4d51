"""What services raise."""

from __future__ import annotations


class Invalid(ValueError):
    """What someone gave us cannot be used; the message is written for her."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


class Gone(LookupError):
    """A row that was asked for is no longer there."""

    def __init__(self, what: str, row_id: int) -> None:
        super().__init__(f"no {what} {row_id}: it was deleted")
