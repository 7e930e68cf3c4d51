"""A private PostgreSQL server, started from the machine's binaries in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.needs import require
from tests.support import wait_until

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds that the server may take to be made, to answer, or to end.
PATIENCE_S = 30.0
#: Settings that make it quick, and let a test use two-phase commits.
SETTINGS = {"listen_addresses": "", "fsync": "off", "max_prepared_transactions": "4", "shared_buffers": "8MB"}


class PostgresServer:
    """One server process on a Unix socket, without data; as a context manager it is started on entry.

    It refuses to be run by root, who then runs it as the user `postgres`, or `nobody`.
    """

    def __init__(self) -> None:
        self._binary = Path(require("postgres"))
        self._owner = _unprivileged()
        # Right under the temporary folder: a socket's path may have about 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="fq-pg-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the server, if it runs, and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        if self._owner:
            os.chown(self.folder, self._owner["user"], self._owner["group"])
        data = self.folder / "data"
        settings = SETTINGS | {"unix_socket_directories": str(self.folder)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        subprocess.run(
            [self._binary.with_name("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
            cwd=self.folder,
            **self._owner,
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "-D", data, *words], stdout=log, stderr=log, cwd=self.folder, **self._owner
            )
        wait_until(self._answers, PATIENCE_S, what=f"{self._binary} answers")

    def _answers(self) -> bool:
        # Here, so that who has no PostgreSQL needs no driver.
        import psycopg

        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
        try:
            psycopg.connect(f"host={self.folder} user=postgres dbname=postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _unprivileged() -> dict[str, Any]:
    """As whom to run it, in the words of `subprocess`; nothing where that is the caller."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
