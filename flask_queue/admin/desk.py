"""What one request of the dashboard works with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..broker import QueueBroker
from ..config import Config
from ..monitor import Monitor
from ..operations import Operations


@dataclass
class Desk:
    """The current app's jobs, as one visitor may see and steer them.

    Args:
        broker: of the current app.
        user: as the audit trail is to tell it.
        can_change: whether this visitor may change anything.
    """

    broker: QueueBroker
    user: str
    can_change: bool

    @property
    def config(self) -> Config:
        """The settings of the app."""
        return self.broker.config

    @cached_property
    def monitor(self) -> Monitor:
        """Reads: has the calls of `FlaskQueue` that change nothing, and `query`."""
        return Monitor(self.broker)

    @cached_property
    def operations(self) -> Operations:
        """Acts: has the calls of `FlaskQueue` that change something; in this visitor's name."""
        return Operations(self.broker, actor=self.user)
