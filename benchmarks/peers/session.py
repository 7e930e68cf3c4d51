"""One peer in one round: its client, its workers and a server of its own, and all that is measured on them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from benchmarks.peers.install import Environment
from benchmarks.peers.plan import Plan
from benchmarks.peers.processes import Client, Workers
from benchmarks.peers.server import Server, Tally
from benchmarks.peers.table import ADAPTERS, QUEUES, Job, Peer

#: Between two looks at how many jobs are left.
POLL_S = 0.01
#: For anything that should happen.
PATIENCE_S = 60.0
#: The most that a peer is asked to take in while it works at half its speed: a share of what its client can send.
SENDABLE = 0.7

Figures: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one job, from the call that sent it to its handler."""

    us: int
    pid: int


class Session:
    """Measures one peer. `figures` has what was found, by name; a figure that a peer cannot have is left out."""

    def __init__(
        self, peer: Peer, environment: Environment, server: Server, plan: Plan, folder: Path, spins: int, log: IO[bytes]
    ) -> None:
        self.peer, self.plan, self.figures = peer, plan, Figures()
        self._environment, self._server, self._log = environment, server, log
        self._latencies = folder / "latencies"
        self._latencies.touch()
        programs = os.pathsep.join([str(environment.folder / "bin"), os.environ["PATH"]])
        self._env = {
            **os.environ,
            **environment.variables,
            **peer.env,
            "PATH": programs,
            "BENCH_URL": server.url,
            "BENCH_LOG": str(self._latencies),
            "BENCH_SPINS": str(spins),
        }
        self._client: Client
        self._pending = ""
        self._poll_cost = Tally(0, 0, 0.0)

    def measure(self, *, thoroughly: bool) -> None:
        """Everything; `thoroughly` adds what does not vary from round to round."""
        with self._client_running():
            self._send()
        with self._client_running():
            self._with_one_process()
        with self._client_running():
            self._with_two_processes()
        if thoroughly:
            with self._client_running():
                self._measure_memory_of_the_unfinished()
            with self._client_running():
                self._measure_memory_of_the_finished()
            if self.peer.has_queues:
                with self._client_running():
                    self._measure_idling()

    # What is measured.

    def _send(self) -> None:
        """How fast jobs are stored while nobody takes them."""
        # The speeds of workers and clients of a peer are alike enough to say how long this takes.
        count = self.plan.jobs(self.peer.per_s, self.plan.send_s)
        self._client.ask("enqueue", job="nothing", n=20)
        before = self._server.tally()
        sent = self._client.ask("enqueue", job="nothing", n=min(count, 5000))
        done = self._server.tally() - before
        number = min(count, 5000)
        self.figures["enqueue_per_s"] = number / sent["seconds"]
        self.figures["enqueue_client_us"] = sent["cpu_s"] / number * 1e6
        self.figures["enqueue_redis_us"] = done.cpu_s / number * 1e6
        self.figures["enqueue_trips"] = (done.reads - 1) / number
        self.figures["enqueue_commands"] = (done.commands - 1) / number
        many = self._client.ask("enqueue_bulk", job="nothing", n=count)
        if many:
            self.figures["bulk_per_s"] = count / many["seconds"]

    def _with_one_process(self) -> None:
        self._measure_poll()
        self._client.ask("mark", job="nothing", n=1)
        started = time.monotonic()
        with self._working(1) as workers:
            self._await_latencies(1, workers)
            self.figures["start_s"] = time.monotonic() - started
            self._measure_pickup(workers)
            drain = self._drain(workers, "nothing", self.plan.jobs(self.peer.per_s, self.plan.drain_s))
            self.figures |= {f"drain_1_{name}": value for name, value in drain.items()}
            footprint = workers.footprint()
            self.figures["worker_rss_bytes"] = footprint.rss_bytes
            self.figures["worker_pss_bytes"] = footprint.pss_bytes
            self._measure_half_load(workers)
            self.figures["naps_per_s"] = self._drain(workers, "nap", self.plan.naps_of(self.peer))["per_s"]

    def _with_two_processes(self) -> None:
        with self._working(2) as workers:
            self._await_processes(2, workers)
            count = self.plan.jobs(self.peer.per_s * 1.8, self.plan.drain_s)
            drain = self._drain(workers, "nothing", count)
            self.figures |= {f"drain_2_{name}": value for name, value in drain.items()}
            if "spin" in self.peer.jobs:
                self.figures["spins_per_s"] = self._drain(workers, "spin", self.plan.spins_of(self.peer))["per_s"]

    def _measure_pickup(self, workers: Workers) -> None:
        """From a dispatch to the handler, in a worker that has nothing else to do."""
        latencies = []
        for _ in range(self.plan.pickups):
            # Not in step with anything that polls.
            time.sleep(self.plan.gap_s * random.uniform(0.7, 1.3))
            self._clear_latencies()
            self._client.ask("mark", job="nothing", n=1)
            latencies.append(self._await_latencies(1, workers)[0].us / 1000)
        self.figures["pickup_ms"] = latencies

    def _measure_half_load(self, workers: Workers) -> None:
        """The same while jobs come half as fast as they can be run, or as fast as they can be sent."""
        sendable = SENDABLE * max(self.figures["enqueue_per_s"], self.figures.get("bulk_per_s", 0.0))
        per_s = min(self.figures["drain_1_per_s"] / 2, sendable)
        self._clear_latencies()
        sent = self._client.ask("pace", per_s=per_s, seconds=self.plan.half_load_s)
        latencies = self._await_latencies(sent["marked"], workers)
        self.figures["half_load_per_s"] = sent["sent"] / sent["seconds"]
        self.figures["half_load_ms"] = [latency.us / 1000 for latency in latencies]
        self._await_settled(workers)

    def _measure_memory_of_the_unfinished(self) -> None:
        """What a job takes in Redis that has not run."""
        self._client.ask("enqueue", job="nothing", n=20)
        count = self.plan.stored
        for state, verb, arguments in (("waiting", "enqueue", {"job": "nothing"}), ("delayed", "enqueue_delayed", {})):
            before = self._server.bytes_used()
            if self._client.ask(verb, n=count, **arguments):
                self.figures[f"{state}_bytes"] = (self._server.bytes_used() - before) / count

    def _measure_memory_of_the_finished(self) -> None:
        """What is left in Redis of one that has."""
        count = self.plan.stored_by(self.peer)
        with self._working(1) as workers:
            for state, job in (("completed", "nothing"), ("failed", "fails")):
                self._client.ask("enqueue", job=job, n=20)
                self._await_settled(workers)
                before = self._server.bytes_used()
                self._client.ask("enqueue", job=job, n=count)
                self._await_settled(workers)
                self.figures[f"{state}_bytes"] = (self._server.bytes_used() - before) / count

    def _measure_idling(self) -> None:
        """What a process costs that listens on three queues and has nothing to do."""
        with self._working(1, queues=len(QUEUES)) as workers:
            self._client.ask("mark", job="nothing", n=1)
            self._await_latencies(1, workers)
            # Those that poll come to rest.
            time.sleep(min(2.0, self.plan.idle_s))
            before, cpu_s, started = self._server.tally(), workers.cpu_s(), time.monotonic()
            time.sleep(self.plan.idle_s)
            seconds = time.monotonic() - started
            done = self._server.tally() - before
            self.figures["idle_trips_per_s"] = (done.reads - 1) / seconds
            self.figures["idle_commands_per_s"] = (done.commands - 1) / seconds
            self.figures["idle_cpu_ms_per_s"] = (workers.cpu_s() - cpu_s) / seconds * 1000

    def _drain(self, workers: Workers, job: Job, count: int) -> Figures:
        """Let workers run jobs that are all there when they begin: halted while they are sent, then let go."""
        workers.freeze()
        if not self._client.ask("enqueue_bulk", job=job, n=count):
            self._client.ask("enqueue", job=job, n=count)
        before, cpu_s, started = self._server.tally(), workers.cpu_s(), time.monotonic()
        workers.thaw()
        polls = self._await_settled(workers)
        seconds = time.monotonic() - started
        done = self._server.tally() - before - self._poll_cost.times(polls)
        return {
            "jobs": count,
            "per_s": count / seconds,
            "worker_us": (workers.cpu_s() - cpu_s) / count * 1e6,
            "redis_us": done.cpu_s / count * 1e6,
            "trips": max(0, done.reads - 1) / count,
            "commands": max(0, done.commands - 1) / count,
        }

    # How it is done.

    @contextmanager
    def _client_running(self) -> Iterator[None]:
        """On an empty server."""
        self._server.client.flushall()
        command = self._environment.client(self.peer.adapter)
        self._client = Client(command, self._env, ADAPTERS, self._log)
        try:
            about = self._client.ask("about")
            self.figures["versions"], self._pending = about["versions"], about["pending"]
            yield
        finally:
            self._client.close()

    @contextmanager
    def _working(self, processes: int, *, queues: int = 1) -> Iterator[Workers]:
        commands = self.peer.worker(self._environment.bin, processes, QUEUES[:queues])
        commands = [[word.replace("$BENCH_URL", self._server.url) for word in command] for command in commands]
        workers = Workers(commands, {**self._env, "BENCH_QUEUES": str(queues)}, ADAPTERS, self._log)
        try:
            yield workers
        finally:
            workers.thaw()
            workers.end()
            self._clear_latencies()

    def _await_settled(self, workers: Workers) -> int:
        """Wait until no job is left; returns how often it was looked."""
        polls = 0

        def look() -> bool:
            nonlocal polls
            polls += 1
            return int(self._server.client.eval(self._pending, 0)) <= 0

        self._await(look, workers, "all jobs are settled")
        return polls

    def _await_processes(self, count: int, workers: Workers) -> None:
        """Wait until so many processes have run a job."""
        seen: set[int] = set()

        def look() -> bool:
            self._clear_latencies()
            self._client.ask("mark", job="nap", n=16 * count)
            seen.update(each.pid for each in self._await_latencies(16 * count, workers))
            return len(seen) >= count

        self._await(look, workers, f"{count} processes run jobs")
        self._await_settled(workers)

    def _await_latencies(self, count: int, workers: Workers) -> list[Latency]:
        self._await(lambda: len(self._read_latencies()) >= count, workers, f"{count} jobs ran")
        return self._read_latencies()

    def _await(self, predicate: Callable[[], bool], workers: Workers, what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not predicate():
            workers.check()
            if time.monotonic() > until:
                raise TimeoutError(f"not within {PATIENCE_S:g} s: {what}")
            time.sleep(POLL_S)

    def _read_latencies(self) -> list[Latency]:
        """Whole lines: each is written at once."""
        return [
            Latency(int(us), int(pid))
            for _, us, pid in (line.split() for line in self._latencies.read_text().splitlines())
        ]

    def _clear_latencies(self) -> None:
        os.truncate(self._latencies, 0)

    def _measure_poll(self) -> None:
        """What a look at what is left costs the server."""
        times = 20
        before = self._server.tally()
        for _ in range(times):
            self._server.client.eval(self._pending, 0)
        done = self._server.tally() - before
        self._poll_cost = Tally(round((done.commands - 1) / times), round((done.reads - 1) / times), done.cpu_s / times)
