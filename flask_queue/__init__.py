"""Background jobs for Flask, on Dramatiq and Redis."""

from __future__ import annotations

from .backoff import Backoff
from .config import Queue, RateLimit
from .errors import (
    ConfigError,
    Fail,
    InvalidPayload,
    JobCancelled,
    JobExpired,
    JobIdConflict,
    JobNotFound,
    JobNotRegistered,
    JobStateError,
    JobTimeout,
    PayloadTooLarge,
    QueueError,
    QueueUnavailable,
    Release,
    Retry,
    UnknownJob,
    UnknownQueue,
    WorkerLost,
)
from .extension import FlaskQueue
from .job import Job
from .middleware import default_middleware
from .record import (
    Attempt,
    AttemptOutcome,
    AuditEntry,
    AuditPage,
    JobError,
    JobRecord,
    JobState,
    MinuteMetrics,
    Page,
    Percentiles,
    Progress,
    RunningJob,
    WorkerInfo,
)

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "AuditEntry",
    "AuditPage",
    "Backoff",
    "ConfigError",
    "Fail",
    "FlaskQueue",
    "InvalidPayload",
    "Job",
    "JobCancelled",
    "JobError",
    "JobExpired",
    "JobIdConflict",
    "JobNotFound",
    "JobNotRegistered",
    "JobRecord",
    "JobState",
    "JobStateError",
    "JobTimeout",
    "MinuteMetrics",
    "Page",
    "PayloadTooLarge",
    "Percentiles",
    "Progress",
    "Queue",
    "QueueError",
    "QueueUnavailable",
    "RateLimit",
    "Release",
    "Retry",
    "RunningJob",
    "UnknownJob",
    "UnknownQueue",
    "WorkerInfo",
    "WorkerLost",
    "default_middleware",
]
