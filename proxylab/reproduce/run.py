"""``proxylab reproduce``: run an experiment's sweep, write its tables, draw its figures."""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from proxylab.errors import UsageError, choices
from proxylab.reproduce.experiment import (
    BUDGETS,
    Assignment,
    Experiment,
    Point,
    PublishedComparison,
    find_experiments,
    is_done,
    load_experiment,
    run_assignment,
)
from proxylab.screening.cache import LIMIT_BYTES
from proxylab.screening.detectors import detector_of
from proxylab.storage import store
from proxylab.storage.provenance import commit, machine, versions
from proxylab.training.jobs import JobResult, execute
from proxylab.training.plan import TrainingJob

SCHEMA = "proxylab.reproduce/1"
RUNS = "runs"
PUBLISHED = "published"
ALL = "all"

Tables = dict[str, list[dict[str, Any]]]
"""{name: rows}."""


class Counter(Protocol):
    """Counts the runs of one experiment, such as ``console.SweepCount``."""

    def count(self, ended: JobResult) -> None:
        """Count one finished run."""
        ...


Show = Callable[[Experiment, int, float], Counter | None]
"""function (experiment, number of runs, most megabytes written) -> :class:`Counter`, or None."""


def show_nothing(experiment: Experiment, points: int, megabytes: float) -> None:
    """A :data:`Show` that shows no progress."""


@dataclass(frozen=True)
class Reproduced:
    """The result of one experiment.

    Attributes:
        experiment: name of the experiment.
        claim: the claim, one sentence.
        budget: ``smoke``, ``laptop`` or ``paper``.
        points: number of runs.
        found: number of runs that were complete before this call.
        failed: {source of a run: its error}; None where nothing was run.
        seconds: wall-clock time of this call.
        hours: CPU hours of all runs, including those of earlier calls.
        megabytes: most that new runs write, where nothing was run; None otherwise.
        tables: files written.
        figures: files written.
        comparisons: the comparisons with published numbers.
    """

    experiment: str
    claim: str
    budget: str
    points: int
    found: int = 0
    failed: dict[str, str] | None = None
    seconds: float = 0.0
    hours: float | None = None
    megabytes: float | None = None
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    comparisons: tuple[PublishedComparison, ...] = ()


@dataclass(frozen=True)
class Reproduction:
    """The results of ``reproduce``.

    Attributes:
        experiments: one result per experiment.
    """

    experiments: list[Reproduced]

    @property
    def failures(self) -> int:
        """Number of failed runs of all experiments."""
        return sum(len(result.failed or {}) for result in self.experiments)

    def as_json(self) -> dict[str, Any]:
        """The object that ``reproduce --json`` prints."""
        return {"schema": SCHEMA, "experiments": [asdict(result) for result in self.experiments]}


def reproduce(
    names: str | Iterable[str],
    budget: str = "laptop",
    *,
    engine: str = "local",
    processes: int | None = None,
    draw_only: bool = False,
    dry_run: bool = False,
    folder: str | Path | None = None,
    detectors: Sequence[str] = (),
    show: Show = show_nothing,
) -> Reproduction:
    """Run experiments one after another; completed training and measurements are reused.

    Args:
        names: names of experiments, or ``all``.
        budget: ``smoke`` (minutes for all), ``laptop`` or ``paper``.
        engine: ``local`` or ``ray``.
        processes: number of parallel runs.
        draw_only: draw the figures from existing tables.
        dry_run: count the new runs and estimate their time; run nothing.
        folder: folder of the experiments.
        detectors: references of detectors to measure besides those of the experiment; the
            tables and figures then go to a folder of their own.
        show: a :data:`Show`.

    Returns:
        :class:`Reproduction`.

    Raises:
        UsageError: an unknown experiment, budget or detector, no tables to draw from, or not
            enough free space.
    """
    if budget not in BUDGETS:
        raise UsageError(f"unknown budget {budget!r}: {choices(budget, BUDGETS)}")
    chosen = [replace(e, detectors=_loadable(detectors)) for e in _chosen(names, folder)]
    if draw_only:
        return Reproduction([_drawn(experiment, budget) for experiment in chosen])
    if dry_run:
        return Reproduction([_foreseen(experiment, budget) for experiment in chosen])
    return Reproduction(
        [_run(experiment, budget, engine, processes, show) for experiment in chosen]
    )


def _loadable(detectors: Sequence[str]) -> tuple[str, ...]:
    """The references themselves; ``UsageError`` where one is no detector."""
    for reference in detectors:
        detector_of(reference)
    return tuple(detectors)


def _chosen(names: str | Iterable[str], folder: str | Path | None) -> list[Experiment]:
    """The experiments of these names; ``UsageError`` where one is unknown or none is named."""
    known = find_experiments(folder)
    names = [names] if isinstance(names, str) else list(names)
    chosen = list(known) if ALL in names else [name.replace("_", "-") for name in names]
    if not chosen:
        raise UsageError(f"no experiment named: choose {', '.join(known) or 'another folder'}")
    for name in chosen:
        if name not in known:
            raise UsageError(f"no experiment {name!r}: {choices(name, known)}")
    return [load_experiment(known[name]) for name in chosen]


def _run(
    experiment: Experiment, budget: str, engine: str, processes: int | None, show: Show
) -> Reproduced:
    """Train and measure all points, write the tables, draw the figures."""
    began = time.perf_counter()
    points = _points(experiment, budget)
    complete = sum(all(is_done(experiment, budget, point)) for point in points)
    jobs = [
        Assignment(str(experiment.path), budget, point, experiment.detectors) for point in points
    ]
    counter = show(experiment, len(jobs), _room_for(points))
    watch = counter.count if counter else None
    results = execute(run_assignment, jobs, engine=engine, processes=processes, watch=watch)
    failed = {result.job.point.source: _why(result.error) for result in results if result.error}
    rows = [row for result in results if not result.error for row in result.result]
    if not rows:
        raise UsageError(f"{experiment.name}: every run failed: {next(iter(failed.values()))}")
    tables = {RUNS: rows, **experiment.module.analyse(rows)}
    hours = _hours(points)
    files = _write(experiment, budget, tables, {"points": len(points), "cpu_hours": hours})
    return replace(
        _drawn(experiment, budget),
        points=len(points),
        found=complete,
        failed=failed,
        seconds=round(time.perf_counter() - began, 1),
        hours=hours,
        tables=files,
    )


RUN_MEGABYTES, TABLE_MEGABYTES = 2.0, 20.0
"""More than a run of the networks here takes, its checkpoint included; than tables and figures."""


def megabytes_for(points: Iterable[Point]) -> float:
    """Most that the new runs of an experiment write: runs, cache, tables and figures."""
    jobs = {point.job.folder for point in points if point.job is not None}
    new = sum(not store.is_complete(folder) for folder in jobs)
    return new * RUN_MEGABYTES + LIMIT_BYTES / 1e6 + TABLE_MEGABYTES


def _room_for(points: Iterable[Point]) -> float:
    """:func:`megabytes_for`; ``UsageError`` where the disk has less room."""
    needed, folder = megabytes_for(points), store.results_folder()
    existing = next(f for f in (folder, *folder.absolute().parents) if f.is_dir())
    free = shutil.disk_usage(existing).free / 1e6
    if free < needed:
        raise UsageError(f"{folder}: {free:,.0f} MB are free, and up to {needed:,.0f} are needed")
    return needed


def _points(experiment: Experiment, budget: str) -> list[Point]:
    """All points; ``UsageError`` where two of them have the same labels."""
    points = experiment.module.points(experiment.settings(budget))
    labels = [tuple(sorted(point.labels.items())) for point in points]
    if len(set(labels)) < len(labels):
        raise UsageError(f"{experiment.name}: two points have the same labels")
    return points


def _why(error: BaseException) -> str:
    """Type and message of an error, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _hours(points: Iterable[Point]) -> float:
    """CPU hours of the complete runs, from their ``run.json``."""
    folders = {point.job.folder for point in points if point.job is not None}
    records = [store.read_json(f / store.RUN) for f in folders if store.is_complete(f)]
    return sum(r["result"]["seconds"] * r.get("threads", 1) for r in records) / 3600


def _write(
    experiment: Experiment, budget: str, tables: Tables, facts: Mapping[str, Any]
) -> tuple[str, ...]:
    """Write the tables as CSV and their origin as JSON; the paths of the tables."""
    folder = store.shown_folder("tables", experiment.shown_as(budget))
    record, paths = folder / f"{experiment.name}.json", []
    record.unlink(missing_ok=True)  # written again after the last table
    for name, rows in tables.items():
        if rows:
            paths.append(_table_path(folder, experiment, name))
            store.write_table(rows, paths[-1])
    comparisons = _comparisons(experiment, {name: rows for name, rows in tables.items() if rows})
    if comparisons:
        paths.append(_table_path(folder, experiment, PUBLISHED))
        store.write_table([asdict(comparison) for comparison in comparisons], paths[-1])
    origin = {
        "schema": "proxylab.experiment-tables/1",
        "experiment": experiment.name,
        "budget": budget,
        "settings": experiment.settings(budget),
        "tables": [path.name for path in paths],
        "commit": commit()[0],
        "versions": versions(),
        "machine": machine(),
        **facts,
    }
    store.write_json(record, origin)
    return tuple(map(str, paths))


def _table_path(folder: Path, experiment: Experiment, name: str) -> Path:
    return folder / f"{experiment.name}-{name}.csv"


def _comparisons(experiment: Experiment, tables: Tables) -> Sequence[PublishedComparison]:
    """The comparisons with published numbers; none where the experiment has no ``compare``."""
    compare = getattr(experiment.module, "compare", None)
    return compare(tables) if compare else []


def _drawn(experiment: Experiment, budget: str) -> Reproduced:
    """Draw the figures from the tables on disk."""
    from proxylab.plots.style import save  # matplotlib is slow to load

    folder = store.shown_folder("tables", experiment.shown_as(budget))
    record = folder / f"{experiment.name}.json"
    if not record.is_file():
        command = f"proxylab reproduce {experiment.name} --budget {budget}"
        raise UsageError(f"no tables of {experiment.name} in {folder}: {command} makes them")
    prefix = f"{experiment.name}-"
    facts = store.read_json(record)
    tables = {
        Path(name).stem.removeprefix(prefix): store.read_table(folder / Path(name).name)
        for name in facts["tables"]
    }
    published = tuple(PublishedComparison(**row) for row in map(_filled, tables.pop(PUBLISHED, [])))
    figures: list[str] = []
    for name, figure in experiment.module.draw(tables).items():
        stem = experiment.name if not name else f"{experiment.name}-{name}"
        figures += map(
            str, save(figure, store.shown_folder("figures", experiment.shown_as(budget)) / stem)
        )
    return Reproduced(
        experiment.name,
        experiment.claim,
        budget,
        points=facts["points"],
        hours=facts["cpu_hours"],
        figures=tuple(figures),
        comparisons=published,
    )


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the published table; CSV reads an empty text as None."""
    return {f.name: "" if row[f.name] is None else row[f.name] for f in fields(PublishedComparison)}


def _foreseen(experiment: Experiment, budget: str) -> Reproduced:
    """The number of new runs, and their expected time from the rates of complete runs."""
    points = _points(experiment, budget)
    done = [is_done(experiment, budget, point) for point in points]
    new = {
        point.job.folder: point.job
        for point, (trained, _) in zip(points, done, strict=True)
        if point.job is not None and not trained
    }
    return Reproduced(
        experiment.name,
        experiment.claim,
        budget,
        points=len(points),
        found=sum(map(all, done)),
        hours=sum(map(_expected_hours, new.values())),
        megabytes=megabytes_for(points),
    )


def _expected_hours(job: TrainingJob) -> float:
    """CPU hours of a run, from the median rate of complete runs of its task or GUESSED_RATE."""
    rates = [row["steps_per_second"] for row in store.rates(job.config.task)]
    rate = sorted(rates)[len(rates) // 2] if rates else GUESSED_RATE
    return job.config.total_timesteps / rate / 3600


GUESSED_RATE = 10_000
"""Training steps per second of a task without complete runs."""
