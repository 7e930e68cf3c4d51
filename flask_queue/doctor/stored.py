"""Looks at what is stored, and repairs it: see `store/repairs.py` for what is wrong and what is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..broker import QueueBroker
from ..store.repairs import Names, Repairs
from .finding import Finding, Level

#: Ids that are named in a message.
_SHOWN = 3
_FIX = "Repair it: flask queue doctor --fix."
_FIXED = "repaired"


def look_at_stored(broker: QueueBroker, names: Names, *, fix: bool) -> Iterator[Finding]:
    """All damage, queue by queue; with `fix` it is repaired, and what is told of it is no error any more."""
    repairs = Repairs(broker.store.client, broker.config.prefix, fix=fix)
    is_whole = True
    for finding in _damage(broker, repairs, names, fix=fix):
        is_whole = False
        yield finding
    if is_whole and not fix:
        yield Finding("orphans", Level.OK, "no orphan keys, and every job is where it should be")


def _damage(broker: QueueBroker, repairs: Repairs, names: Names, *, fix: bool) -> Iterator[Finding]:
    for queue in broker.queues:
        logs, workers = names[queue]["logs"], names[queue]["active"]
        # First what is too much, then what is missing: what was in a wrong list is then put into the right one.
        found = repairs.leftovers(queue, logs)
        yield from _tell(f"queue '{queue}': leftovers of {{}} that no longer exist", "job", found, fix=fix)
        found = repairs.locks(queue)
        yield from _tell(f"queue '{queue}': {{}} of jobs that are done or gone", "unique lock", found, fix=fix)
        found = repairs.strays(queue, workers)
        yield from _tell(f"queue '{queue}': {{}} in lists where they do not belong", "job", found, fix=fix)
        lost, unreadable = repairs.lost(queue)
        yield from _tell(
            f"queue '{queue}': {{}} in no list, so that nobody runs or sees them", "job", lost, fix=fix, bad=True
        )
        if unreadable:
            message = f"queue '{queue}': {_named('record', unreadable)} cannot be read"
            remedy = (
                "Something else writes under these keys: give each app a QUEUE_PREFIX, or delete them from the hash."
            )
            yield Finding("orphans", Level.ERROR, message, remedy)
        found = repairs.strangers(queue, names[queue]["by"])
        yield from _tell(f"queue '{queue}': {{}} in indexes where they do not belong", "name", found, fix=fix)
        found = repairs.unindexed(queue)
        text = f"queue '{queue}': {{}} that cannot be found by error, name or tag"
        yield from _tell(text, "job", found, fix=fix)
        found = repairs.leaseless(queue, workers)
        yield from _tell(
            f"queue '{queue}': {{}} without a lease, whose jobs nobody takes back", "worker", found, fix=fix, bad=True
        )
        if excess := repairs.miscounted(queue):
            count = f"the number of waiting jobs is off by {abs(excess)}"
            yield from _tell(f"queue '{queue}': {count}", "", [""], fix=fix)
    found = repairs.gone()
    yield from _tell("{} on record that have been silent for an hour", "worker", found, fix=fix)


def _tell(text: str, noun: str, found: Sequence[str], *, fix: bool, bad: bool = False) -> Iterator[Finding]:
    if not found:
        return
    message = text.format(_named(noun, found))
    if fix:
        yield Finding("orphans", Level.OK, f"{message}: {_FIXED}")
    else:
        yield Finding("orphans", Level.ERROR if bad else Level.WARNING, message, _FIX, is_fixable=True)


def _named(noun: str, found: Sequence[str]) -> str:
    names = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'} ({names})"
