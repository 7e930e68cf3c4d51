"""Names: Redis keys, job ids, worker ids."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass

#: A job's id inside its queue.
LOCAL_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
#: 96 random bits: even a million kept jobs a queue collide with a chance of 10⁻¹⁷.
ID_BYTES = 12
ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The keys of one queue: all under one hash tag, so that they share a cluster slot."""

    prefix: str
    queue: str

    @property
    def tag(self) -> str:
        """What every key of the queue begins with."""
        return f"{{{self.prefix}:{self.queue}}}"

    def __getitem__(self, name: str) -> str:
        return f"{self.tag}:{name}"


def new_id() -> str:
    """A fresh local id: `ID_LENGTH` characters from `[A-Za-z0-9]`."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """So many fresh local ids."""
    text = base64.b64encode(os.urandom(ID_BYTES * count), b"xy").decode()
    return [text[at : at + ID_LENGTH] for at in range(0, len(text), ID_LENGTH)]


def lock_name(job: str, key: str) -> str:
    """What a unique key of a job is called in Redis: short, however long the key is."""
    digest = hashlib.blake2b(f"{job}\n{key}".encode(errors="surrogatepass"), digest_size=15).digest()
    return base64.urlsafe_b64encode(digest).decode()


def full_id(queue: str, local_id: str) -> str:
    """The id that users see: `<queue>:<local id>`."""
    return f"{queue}:{local_id}"


def split_id(job_id: str) -> tuple[str, str]:
    """Queue and local id of a full id; the queue is empty where only a local id was given."""
    queue, _, local_id = job_id.rpartition(":")
    return queue, local_id
