"""A mail server that delivers everything into one folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from .ports import free_port


class Mailbox:
    """Takes mail on a port of this machine, in a thread of its own, and writes each as a file that mail programs open.

    Args:
        folder: where the mails go.
        announce: print a line for each one.
    """

    def __init__(self, folder: Path, *, announce: bool) -> None:
        self.folder = folder
        self.port = free_port()
        self._announce = announce
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._controller.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._controller.stop()

    def mails(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml"))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        recipient = re.sub(r"[^\w.@+-]", "_", envelope.rcpt_tos[0])[:100]
        number = max((int(mail.name.partition("-")[0]) for mail in self.mails()), default=0) + 1
        path = self.folder / f"{number:04d}-{recipient}.eml"
        path.write_bytes(envelope.original_content or b"")
        if self._announce:
            print(f"mail for {recipient}: {path}", flush=True)
        return "250 Kept"
