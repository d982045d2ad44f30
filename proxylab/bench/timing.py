"""Timing: medians of repeats; a first call, which compiles, is not counted."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = "proxylab.bench/1"
REPEATS = 5
REPEAT_SECONDS = 0.2
"""Least duration of a repeat."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        what: what was measured.
        value: rate or time.
        unit: its unit.
        low: smallest of the repeats, or None.
        high: largest of them, or None.
        peer: the best known alternative, empty when there is none here.
        peer_value: the same figure of the peer, measured in the same run, unless ``peer``
            says that it is a published one.
        ratio: how many times better than the peer.
        compile_seconds: extra time of the first call over the next, with no cache of compiled
            code; None where nothing is compiled, or where another row counts it.
        aim: the target in words; empty without one.
        outcome: ``met`` or ``missed``, empty without an aim.
    """

    what: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    compile_seconds: float | None = None
    aim: str = ""
    outcome: str = ""


@dataclass(frozen=True)
class Measured:
    """All rows of one benchmark.

    Attributes:
        what: benchmark.
        rows: list of :class:`Row`.
        processors: usable on this machine.
    """

    what: str
    rows: list[Row]
    processors: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``bench --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def rate(call: Callable[[], Any], count: int) -> float:
    """Items per second of a ``call`` that processes ``count`` items: median of repeats."""
    return count / statistics.median(durations(call))


def durations(call: Callable[[], Any]) -> list[float]:
    """Seconds per call in each of ``REPEATS`` repeats, ascending; a first call is not counted."""
    call()
    return sorted(_seconds(call) for _ in range(REPEATS))


def _seconds(call: Callable[[], Any]) -> float:
    """Seconds per call, over enough calls to measure."""
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < REPEAT_SECONDS or not calls:
        call()
        calls += 1
    return elapsed / calls


def against(what: str, unit: str, mine: float, peer: str, theirs: float) -> Row:
    """A row compared with a peer: its value ``mine``, the peer's ``theirs``."""
    return Row(what, mine, unit, peer=peer, peer_value=theirs, ratio=mine / theirs)


def spread(what: str, unit: str, values: Sequence[float | None]) -> Row:
    """A row of the median of several values, with their range; NaN and None are left out."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return Row(f"{what} (never)", float("nan"), unit)
    name = what if len(known) == len(values) else f"{what} ({len(known)} of {len(values)} runs)"
    return Row(name, statistics.median(known), unit, low=known[0], high=known[-1])
