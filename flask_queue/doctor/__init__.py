"""Finds what is wrong with the server, the queues and what is stored, and what to do about it."""

from .examine import examine, repair
from .finding import Finding, Level

__all__ = ["Finding", "Level", "examine", "repair"]
