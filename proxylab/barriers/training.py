"""Barriers in training, whose pass rates are those of other agents than meet the later ones.

Their unit is the training run: does training with the barrier still yield an agent that fails?
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from proxylab.barriers.tables import ALARMS, LEVELS, MIXES, Number, Read, Source, number, read
from proxylab.statistics.resampling import wilson_interval

KEPT = 0.9
"""A run fails if its true return is below this share of that of honest runs."""

SCREEN, FORM = "higher_criticism", "level"
"""Alarm of the checkpoints: the default detector, on its level."""


@dataclass(frozen=True)
class TrainingBarrier:
    """A barrier in training.

    Attributes:
        name: of the barrier.
        threat: that it acts on.
        strength: what was varied, in words.
        runs: number of runs.
        passed: share of them that yields a failing agent all the same.
    """

    name: str
    threat: str
    strength: str
    runs: int
    passed: Number


def training_barriers(task: str) -> tuple[list[TrainingBarrier], list[Source]]:
    """Those that were measured for a task, and the tables.

    Raises:
        UsageError: a table is missing.
    """
    found, sources = [], []
    for table, rows_of in MEASURED.get(task, ()):
        given = read(table)
        found += list(rows_of(task, given))
        sources.append(given.source)
    return found, sources


def _level_diversity(task: str, given: Read) -> Iterator[TrainingBarrier]:
    """A share of the training levels has the goals apart."""
    rows = [r for r in given.rows if (r["task"], r["split"]) == (task, "shifted")]
    yield from _by_share(rows, "share", True, ("level diversity", "ambiguous levels"), LEVELS)


def _true_reward(task: str, given: Read) -> Iterator[TrainingBarrier]:
    """The true reward is mixed into the proxy."""
    rows = [r for r in given.rows if r["task"] == task]
    yield from _by_share(rows, "theta", False, ("true reward in the mix", "loophole"), MIXES)


def _by_share(
    rows: list[dict[str, Any]], column: str, most: bool, names: tuple[str, str], table: str
) -> Iterator[TrainingBarrier]:
    """One barrier for each value of a column; honest are the runs with the greatest or least."""
    values = sorted({row[column] for row in rows})
    honest = values[-1] if most else values[0]
    usual = np.mean([row["true_return"] for row in rows if row[column] == honest])
    for value in values if most else reversed(values):
        own = [row["true_return"] for row in rows if row[column] == value]
        rate = wilson_interval(sum(r < KEPT * usual for r in own), len(own))
        share = value if most else 1 - value
        yield TrainingBarrier(*names, f"share {share:g}", len(own), number(rate, table))


def _checkpoints(task: str, given: Read) -> Iterator[TrainingBarrier]:
    """Every checkpoint of a run on a learned reward is screened; caught: before it turns."""
    for row in given.rows:
        if (row["task"], row["alarm"], row["form"]) == (task, SCREEN, FORM):
            rate = 1 - row["caught"], 1 - row["caught_high"], 1 - row["caught_low"]
            names = "a screen at every checkpoint", "learned reward", SCREEN
            yield TrainingBarrier(*names, row["turning"], number(rate, ALARMS))


MEASURED: dict[str, tuple[tuple[str, Callable[[str, Read], Iterator[TrainingBarrier]]], ...]] = {
    "maze-corner": ((LEVELS, _level_diversity),),
    "boat-lagoon": ((MIXES, _true_reward), (ALARMS, _checkpoints)),
}
"""{task: ((table, function), ...)}."""
