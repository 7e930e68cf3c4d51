"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.peers.table import Peer

#: A drain has so many jobs at least, so that its first and last ones do not weigh.
MIN_JOBS = 100
MAX_JOBS = 60_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one run."""

    rounds: int = 5
    #: How long a peer of the expected speed sends, and drains.
    send_s: float = 1.0
    drain_s: float = 1.5
    half_load_s: float = 2.0
    #: Idle pick-ups in a round, and the mean time between them.
    pickups: int = 10
    gap_s: float = 0.3
    #: Handlers of 10 ms of waiting, 8 at a time; of 1 ms of computing, in 2 processes.
    naps: int = 2400
    spins: int = 2000
    #: Jobs whose memory is measured, once.
    stored: int = 2000
    idle_s: float = 6.0

    def jobs(self, per_s: float, seconds: float) -> int:
        """How many jobs take about so long."""
        return max(MIN_JOBS, min(MAX_JOBS, int(per_s * seconds)))

    def naps_of(self, peer: Peer) -> int:
        """As many as take some seconds, also where they run one at a time."""
        return min(self.naps, peer.per_s)

    def spins_of(self, peer: Peer) -> int:
        """As many as take a second or two, also where each costs more than what it computes."""
        return min(self.spins, 4 * peer.per_s)

    def stored_by(self, peer: Peer) -> int:
        """As many as some seconds are enough to run."""
        return min(self.stored, 4 * peer.per_s)


QUICK = Plan(
    rounds=1, send_s=0.1, drain_s=0.3, half_load_s=0.5, pickups=4, gap_s=0.2, naps=80, spins=200, stored=300, idle_s=2.0
)
