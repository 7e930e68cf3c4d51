"""Dispatches and workers that go on while a primary dies, and what they owe afterwards."""

from __future__ import annotations

import shutil
import threading
import time
from collections import defaultdict
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Self

from flask import Flask

from flask_queue import JobNotFound, QueueUnavailable
from flask_queue.current import broker_of
from flask_queue.store.connect import make_client
from flask_queue.worker.heart import Heart
from flask_queue.worker.heartbeat import Heartbeat
from tests.cli.processes import CommandLine, Running
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.topologies import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from flask_queue import JobRecord

#: Shorter than a failover takes: a worker that lives through it must not be taken for dead.
LEASE_S = 2.0
#: A write that is older when its primary dies has reached the replica, which is on the same machine.
LAG_S = 1.0
PATIENCE_S = 30.0


class Traffic:
    """An app on `url` with two worker processes, to which a thread sends jobs without end, over all queues."""

    def __init__(self, url: str, folder: Path) -> None:
        self.queue = program.queue
        self._journal = folder / "journal"
        self._journal.touch()
        shutil.copy(program.__file__, folder / "app.py")
        settings = {"QUEUE_REDIS_URL": url, "QUEUE_LEASE_S": f"{LEASE_S:g}"}
        self.app = Flask("traffic", instance_path=str(folder))
        self.app.config.update(settings)
        program.queue.init_app(self.app)
        self._commands = CommandLine(folder, JOURNAL=str(self._journal), **settings)
        self.workers: list[Running] = []
        #: Of each job: when its dispatch returned.
        self.sent: dict[str, float] = {}
        self.refusals: list[QueueUnavailable] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(broker_of(self.app).close)
        self._stack.callback(self._commands.close)
        self._stack.enter_context(self.app.app_context())
        self.workers = [self._commands.start("queue", "work") for _ in range(2)]
        self._thread.start()
        try:
            wait_until(lambda: len(self.queue.workers()) == 2, PATIENCE_S, what="two workers")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        if error is not None:
            for worker in self.workers:
                error.add_note(worker.printed)
        self._thread.join(PATIENCE_S)
        self._stack.close()

    def hold(self, seconds: float) -> list[str]:
        """Send each queue a job that runs for so long; their ids."""
        ids = [program.Note.options(queue_name=name).dispatch(seconds=seconds).id for name in program.QUEUES]
        self.sent.update(dict.fromkeys(ids, time.time()))
        return ids

    def flows(self, jobs: int = 40) -> None:
        """Wait until so many more jobs of every queue have run."""
        before = self._runs()

        def have_run() -> bool:
            ran = [job_id.partition(":")[0] for job_id in self._runs().keys() - before.keys()]
            return all(ran.count(queue) >= jobs for queue in program.QUEUES)

        wait_until(have_run, PATIENCE_S, what=f"{jobs} jobs of each queue")

    def drain(self) -> None:
        """Send no more, and wait until nothing is left to do."""
        self._stopped.set()
        self._thread.join(PATIENCE_S)

        def is_done() -> bool:
            counts = self.queue.counts().values()
            return not any(each["waiting"] + each["delayed"] + each["active"] for each in counts)

        wait_until(is_done, PATIENCE_S, what="nothing is left to do")

    def settle_accounts(self, killed_at: float, held: Sequence[str]) -> int:
        """Check journal against store. Only what is younger than the lag of replication may be missing, or run again.

        Args:
            killed_at: when the primary was killed.
            held: ids of jobs that were running then, and ended without it.

        Returns: how many jobs were lost.
        """
        broker = broker_of(self.app)
        for name in program.QUEUES:
            check_queue(broker.store.client, broker.store.transitions.keys(name))
        runs = self._runs()
        for job_id in held:
            assert [moment > killed_at for moment in runs[job_id]] == [True], runs[job_id]
            assert self.queue.get(job_id).attempts == 1
        lost = [job_id for job_id in self.sent if job_id not in runs]
        assert [job_id for job_id in lost if self.sent[job_id] < killed_at - LAG_S] == []
        for job_id in self.sent.keys() - set(lost):
            record = self._record(job_id)
            if record is None or record.state != "completed":
                assert self.sent[job_id] > killed_at - LAG_S, record
            else:
                assert record.recoveries == 0, record
            again = runs[job_id][1:]
            assert not again or runs[job_id][0] > killed_at - LAG_S, (record, runs[job_id], killed_at)
        return len(lost)

    def _record(self, job_id: str) -> JobRecord | None:
        try:
            return self.queue.get(job_id)
        except JobNotFound:
            return None

    def _send(self) -> None:
        numbers, queues = count(), cycle(program.QUEUES)
        with self.app.app_context():
            while not self._stopped.wait(0.002):
                self._send_one(f"job-{next(numbers)}", next(queues))

    def _send_one(self, local_id: str, queue: str) -> None:
        """As an app would that insists: again under the same id, until it is said to be stored."""
        while True:
            try:
                record = program.Note.options(job_id=local_id, queue_name=queue).dispatch(seconds=0.001)
            except QueueUnavailable as error:
                self.refusals.append(error)
                if self._stopped.wait(0.05):
                    return
            else:
                self.sent[record.id] = time.time()
                return

    def _runs(self) -> dict[str, list[float]]:
        """When each job has run."""
        runs = defaultdict(list)
        for line in self._journal.read_text().splitlines():
            job_id, _, moment = line.partition(" ")
            runs[job_id].append(float(moment))
        return runs


class Beating:
    """The heart of a worker, whose beats a test asks for."""

    def __init__(self, app: Flask) -> None:
        broker = broker_of(app)
        self._heartbeat = Heartbeat(broker)
        settings = self._heartbeat._settings("w1", list(program.QUEUES))
        self._client = make_client(settings["url"], timeout_s=1)
        self._heart = Heart(settings, self._heartbeat.pulse, self._client)

    def beats(self) -> bool:
        """Whether a beat of now reaches every queue."""
        self._heart._beat()
        return not self._heart._has_failed

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._heartbeat.stop()
