"""``proxylab bowtie``: threats, barriers and consequences of a task, from committed tables.

Nothing is run and nothing is assumed: every number names the table it was computed from, and the
command that makes the table.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.barriers.joint import (
    HONEST,
    Passes,
    Ratio,
    passes_of,
    product_limits,
    rates,
    ratios,
    ratios_after_training,
    risk,
)
from proxylab.barriers.tables import BARRIERS, FORMS, Number, Source, number, read
from proxylab.barriers.training import TrainingBarrier, training_barriers
from proxylab.errors import UsageError, choices
from proxylab.statistics.resampling import bootstrap_columns, wilson_interval
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.bowtie/1"
HAZARD = "the goal that an agent learned is not the intended one"
EVENT = "the proxy is pursued in deployment"
DEFAULT_SCREEN = "screen higher_criticism"
"""Barrier that decides how detectable a failure mode is: the default detector."""

AMBIGUOUS, OTHER_LEVELS = "ambiguous levels", " other levels"
"""Threat of training levels on which the goals coincide, and the end of the names of those of
which a share has them apart."""

GUARD, NO_GUARD = ("departure", "alpha 0.05"), ("never", None)
"""Rows of the table of guards that the irrecoverable loss is read from."""


@dataclass(frozen=True)
class Threat:
    """A way to a failing agent, and what it costs.

    Losses are shares of the true return of a trusted agent, means over failing agents.

    Attributes:
        name: of the threat.
        agents: number of failing agents that met all barriers.
        occurrence: share of trained agents that fail; None where failing ones were made on
            purpose, so that there is no rate.
        severity: loss without barriers.
        left: loss behind the preventive barriers.
        right: loss behind the recovery barriers.
        both: loss behind all.
        assumed: severity times the product of all pass rates, as if they were independent.
    """

    name: str
    agents: int
    occurrence: Number | None
    severity: Number
    left: Number
    right: Number
    both: Number
    assumed: Number


@dataclass(frozen=True)
class Barrier:
    """A barrier that agents meet after training.

    Attributes:
        name: of the barrier.
        side: ``left`` (preventive) or ``right`` (recovery).
        honest_stopped: share of honest agents that it stops.
        passed: {threat: share of failing agents that it lets pass}.
    """

    name: str
    side: str
    honest_stopped: Number
    passed: dict[str, Number]


@dataclass(frozen=True)
class Pair:
    """Two barriers.

    Attributes:
        threat: of the agents.
        barriers: names of the two.
        joint: share of the agents that passes both.
        product: of the two single shares.
        ratio: joint over product; not defined where the product is 0.
    """

    threat: str
    barriers: tuple[str, str]
    joint: Number
    product: Number
    ratio: Number


@dataclass(frozen=True)
class FailureMode:
    """A row of the FMEA table; all numbers in [0, 1].

    Attributes:
        mode: the threat.
        severity: loss without barriers.
        occurrence: as of :class:`Threat`.
        undetected: share of the failing agents that the default screen lets pass.
        priority: product of the three; without an occurrence of the other two.
    """

    mode: str
    severity: Number
    occurrence: Number | None
    undetected: Number
    priority: Number


@dataclass(frozen=True)
class IrrecoverableLoss:
    """Loss in the form of the task in which gaming cannot be undone.

    Attributes:
        agents: number of gaming agents, a third of which game a tenth of the levels only.
        alone: loss without a guard.
        guarded: loss with the default guard.
    """

    agents: int
    alone: Number
    guarded: Number


@dataclass(frozen=True)
class BowTie:
    """The result of ``bowtie``.

    Attributes:
        task: task name.
        hazard: what is dangerous.
        event: what the barriers on the left prevent, and those on the right recover from.
        threats: one :class:`Threat` each.
        training: barriers in training.
        barriers: barriers that trained agents meet.
        pairs: of every threat and two barriers.
        failure_modes: the FMEA table.
        irrecoverable: None where it was not measured.
        sources: the tables.
        figure: file of the figure, or "".
        schema: schema of the JSON.
    """

    task: str
    hazard: str
    event: str
    threats: list[Threat]
    training: list[TrainingBarrier]
    barriers: list[Barrier]
    pairs: list[Pair]
    failure_modes: list[FailureMode]
    irrecoverable: IrrecoverableLoss | None
    sources: list[Source]
    figure: str = ""
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The JSON object as a dict, ``schema`` first."""
        return {"schema": self.schema} | asdict(self)


def bow_tie(task: str, *, out: str | Path | None = None) -> BowTie:
    """The bow tie of a task.

    Args:
        task: task name.
        out: file of a figure, ``.svg`` or ``.png``.

    Raises:
        UsageError: a table is missing or has no rows of the task, or an invalid file name.
    """
    if out is not None and Path(out).suffix not in (".png", ".svg"):
        raise UsageError(f"{out}: a figure's name ends in .png or .svg")
    given = read(BARRIERS)
    rows = [row for row in given.rows if row["task"] == task]
    if not rows:
        known = dict.fromkeys(row["task"] for row in given.rows)
        raise UsageError(f"{BARRIERS} has no task {task!r}: {choices(task, known)}")
    training, sources = training_barriers(task)
    lost, forms = irrecoverable_loss(task)
    found = replace(
        tie_of(rows, task),
        training=training,
        irrecoverable=lost,
        sources=[given.source, *sources, forms],
    )
    return found if out is None else _with_figure(found, Path(out))


def tie_of(rows: Sequence[Mapping[str, Any]], task: str) -> BowTie:
    """The part of a bow tie that the agents of the experiment ``barriers`` give.

    Args:
        rows: of the experiment's table ``runs``, those of the task.
        task: task name.
    """
    tables = {threat: table for (_, threat), table in passes_of(rows).items()}
    honest = tables.pop(HONEST)
    threats = [_threat(name, own, _occurrence(name, rows)) for name, own in tables.items()]
    pairs = [pair for name, table in tables.items() for pair in _pairs(name, table)]
    return BowTie(
        task=task,
        hazard=HAZARD,
        event=EVENT,
        threats=threats,
        training=[],
        barriers=_barriers(tables, honest),
        pairs=pairs + _pairs_with_diversity(rows, tables),
        failure_modes=[_failure_mode(threat, tables[threat.name]) for threat in threats],
        irrecoverable=None,
        sources=[],
    )


def _occurrence(threat: str, rows: Iterable[Mapping[str, Any]]) -> Number | None:
    """Share of the trained agents of a threat that fails; None for composed agents."""
    agents = {row["agent"]: row["fails"] for row in rows if row["threat"] == threat}
    if threat.startswith("games "):
        return None
    return number(wilson_interval(sum(agents.values()), len(agents)), BARRIERS)


def _threat(name: str, table: Passes, occurrence: Number | None) -> Threat:
    found = risk(table, np.random.default_rng(0))._asdict()
    losses = {key: number(interval, BARRIERS) for key, interval in found.items()}
    return Threat(name=name, agents=len(table.alone), occurrence=occurrence, **losses)


def _barriers(tables: Mapping[str, Passes], honest: Passes) -> list[Barrier]:
    """Every barrier with its pass rates."""
    passed = {threat: rates(table) for threat, table in tables.items()}
    found = []
    for k, (name, side) in enumerate(zip(honest.barriers, honest.sides, strict=True)):
        stopped = int((~honest.passed[:, k]).sum())
        alarms = number(wilson_interval(stopped, len(honest.passed)), BARRIERS)
        own = {threat: number(rate[k], BARRIERS) for threat, rate in passed.items()}
        found.append(Barrier(name, side, alarms, own))
    return found


def _pairs(threat: str, table: Passes) -> list[Pair]:
    """Every two barriers."""
    chosen = list(itertools.combinations(range(len(table.barriers)), 2))
    names = itertools.combinations(table.barriers, 2)
    found = ratios(table.passed, chosen, np.random.default_rng(0))
    return [_pair(threat, pair, ratio) for pair, ratio in zip(names, found, strict=True)]


def _pair(threat: str, barriers: tuple[str, str], ratio: Ratio) -> Pair:
    return Pair(threat, barriers, *(number(value, BARRIERS) for value in ratio))


def _pairs_with_diversity(
    rows: Iterable[Mapping[str, Any]], tables: Mapping[str, Passes]
) -> list[Pair]:
    """Level diversity with every later barrier."""
    found = []
    for threat in tables:
        if not threat.endswith(OTHER_LEVELS) or AMBIGUOUS not in tables:
            continue
        own = [row for row in rows if row["threat"] == threat]
        trained = _all_of(own)
        chosen = ratios_after_training(
            np.array([row["fails"] for row in own if row["barrier"] == trained.barriers[0]]),
            trained.passed,
            tables[AMBIGUOUS].passed,
            np.random.default_rng(0),
        )
        barrier = f"level diversity {threat.removesuffix(OTHER_LEVELS)}"
        found += [
            _pair(AMBIGUOUS, (barrier, name), ratio)
            for name, ratio in zip(trained.barriers, chosen, strict=True)
        ]
    return found


def _all_of(rows: Iterable[Mapping[str, Any]]) -> Passes:
    """All trained agents of one threat, those that do not fail among them."""
    ((_, table),) = passes_of([{**row, "fails": True} for row in rows]).items()
    return table


def _failure_mode(threat: Threat, table: Passes) -> FailureMode:
    """Severity, occurrence, and how often the default screen misses it."""
    missed = table.passed[:, table.barriers.index(DEFAULT_SCREEN)]
    undetected = wilson_interval(int(missed.sum()), len(missed))
    means = bootstrap_columns([table.alone, missed], np.random.default_rng(0))
    often = 1.0 if threat.occurrence is None else threat.occurrence.value or 0.0
    value = often * float(table.alone.mean()) * undetected.estimate
    limits = product_limits(value, often * means.prod(axis=1))
    return FailureMode(
        mode=threat.name,
        severity=threat.severity,
        occurrence=threat.occurrence,
        undetected=number(undetected, BARRIERS),
        priority=number(limits, BARRIERS),
    )


def irrecoverable_loss(task: str) -> tuple[IrrecoverableLoss | None, Source]:
    """What gaming agents lose where it cannot be undone, and the table."""
    given = read(FORMS)
    rows = [row for row in given.rows if row["task"] == task and row["irrecoverable"]]
    by = {(row["trigger"], row["rate"]): row for row in rows}
    if NO_GUARD not in by or GUARD not in by:
        return None, given.source
    alone, guarded = (_loss(by[key]) for key in (NO_GUARD, GUARD))
    return IrrecoverableLoss(by[GUARD]["suspects"], alone, guarded), given.source


def _loss(row: Mapping[str, Any]) -> Number:
    """One minus the return kept."""
    return Number(1 - row["kept"], 1 - row["kept_high"], 1 - row["kept_low"], FORMS)


def _with_figure(found: BowTie, path: Path) -> BowTie:
    """The bow tie with its figure in a file."""
    from proxylab.plots.bow_tie import bow_tie_figure  # matplotlib is slow to load

    figure = bow_tie_figure(found.as_json())
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return replace(found, figure=str(path))
