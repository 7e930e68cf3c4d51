"""A Valkey server for one machine, started on demand and gone with its last user: what `embedded://folder` names."""

from .binary import find_binary
from .server import EmbeddedServer

__all__ = ["EmbeddedServer", "find_binary"]
