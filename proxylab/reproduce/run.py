"""``proxylab reproduce``: run an experiment's sweep, write its tables, draw its figures."""

import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from proxylab.errors import UsageError
from proxylab.reproduce.experiment import (
    BUDGETS,
    Assignment,
    PublishedComparison,
    find_experiments,
    is_done,
    load_experiment,
    run_assignment,
)
from proxylab.storage import store
from proxylab.storage.provenance import commit, machine, versions
from proxylab.training.jobs import execute

SCHEMA = "proxylab.reproduce/1"
RUNS = "runs"
PUBLISHED = "published"
ALL = "all"


@dataclass(frozen=True)
class Reproduced:
    """What one experiment came to.

    Attributes:
        experiment: its name.
        claim: what it shows.
        budget: ``smoke``, ``laptop`` or ``paper``.
        points: runs asked for.
        found: of these, how many were trained and measured before.
        failed: {source of a run: its error}.
        seconds: wall-clock time of this call.
        hours: CPU hours of all the runs, as they were trained, whenever that was.
        tables: files written.
        figures: files written.
        comparisons: list of :class:`PublishedComparison`.
    """

    experiment: str
    claim: str
    budget: str
    points: int
    found: int = 0
    failed: dict = None  # ty: ignore[invalid-assignment]
    seconds: float = 0.0
    hours: float | None = None
    tables: tuple = ()
    figures: tuple = ()
    comparisons: tuple = ()


@dataclass(frozen=True)
class Reproduction:
    """What ``reproduce --json`` prints."""

    experiments: list[Reproduced]

    @property
    def failures(self):
        """Runs that failed, over all experiments."""
        return sum(len(found.failed or {}) for found in self.experiments)

    def as_json(self):
        """The object that ``reproduce --json`` prints."""
        return {"schema": SCHEMA, "experiments": [asdict(found) for found in self.experiments]}


def reproduce(
    names,
    budget="laptop",
    *,
    engine="local",
    processes=None,
    draw_only=False,
    dry_run=False,
    folder=None,
    show=lambda experiment, points: None,
):
    """Run experiments one after another; what is trained or measured already is found again.

    Args:
        names: names of experiments, or ``all``.
        budget: ``smoke`` (minutes for all), ``laptop`` or ``paper``.
        engine: ``local`` or ``ray``.
        processes: runs at once.
        draw_only: draw the figures from the tables that are there.
        dry_run: count the new runs and estimate their time, run nothing.
        folder: of the experiments.
        show: function (experiment, number of runs) -> something with ``count(JobResult)``, or None.

    Returns:
        :class:`Reproduction`.

    Raises:
        UsageError: an unknown experiment or budget, or no tables to draw from.
    """
    if budget not in BUDGETS:
        raise UsageError(f"unknown budget {budget!r}: choose {', '.join(BUDGETS)}")
    chosen = _chosen(names, folder)
    if draw_only:
        return Reproduction([_drawn(experiment, budget) for experiment in chosen])
    if dry_run:
        return Reproduction([_foreseen(experiment, budget) for experiment in chosen])
    made = [_run(experiment, budget, engine, processes, show) for experiment in chosen]
    return Reproduction(made)


def _chosen(names, folder):
    known = find_experiments(folder)
    names = [names] if isinstance(names, str) else list(names)
    asked = list(known) if ALL in names else [name.replace("_", "-") for name in names]
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        listed = ", ".join(known) or "none"
        raise UsageError(f"no experiment {', '.join(unknown) or 'named'}: there are {listed}")
    return [load_experiment(known[name]) for name in asked]


def _run(experiment, budget, engine, processes, show):
    began = time.perf_counter()
    points = _points(experiment, budget)
    found = sum(all(is_done(experiment, budget, point)) for point in points)
    work = [Assignment(str(experiment.path), budget, point) for point in points]
    watcher = show(experiment, len(work))
    counted = watcher.count if watcher else None
    ended = execute(run_assignment, work, engine=engine, processes=processes, watch=counted)
    failed = {one.job.point.source: _why(one.error) for one in ended if one.error}
    rows = [row for one in ended if not one.error for row in one.result]
    if not rows:
        raise UsageError(f"{experiment.name}: every run failed: {next(iter(failed.values()))}")
    tables = {RUNS: rows, **experiment.module.analyse(rows)}
    hours = _hours(points)
    files = _write(experiment, budget, tables, {"points": len(points), "cpu_hours": hours})
    return replace(
        _drawn(experiment, budget),
        points=len(points),
        found=found,
        failed=failed,
        seconds=round(time.perf_counter() - began, 1),
        hours=hours,
        tables=files,
    )


def _points(experiment, budget):
    """All points; ``UsageError`` where two of them are the same."""
    points = experiment.module.points(experiment.settings(budget))
    labels = [tuple(sorted(point.labels.items())) for point in points]
    if len(set(labels)) < len(labels):
        raise UsageError(f"{experiment.name}: two points have the same labels")
    return points


def _why(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _hours(points):
    """CPU hours of the trained runs, one thread each, from their ``run.json``."""
    folders = {point.job.folder for point in points if point.job is not None}
    records = [store.read_json(f / store.RUN) for f in folders if store.is_complete(f)]
    return sum(r["result"]["seconds"] * r.get("threads", 1) for r in records) / 3600


def _write(experiment, budget, tables, facts):
    """The tables as CSV files, and what made them as JSON; their paths."""
    folder = store.shown_folder("tables", budget)
    record, paths = folder / f"{experiment.name}.json", []
    record.unlink(missing_ok=True)  # it comes back when all tables are new
    for name, rows in tables.items():
        if rows:
            paths.append(_table_path(folder, experiment, name))
            store.write_table(rows, paths[-1])
    comparisons = _comparisons(experiment, {name: rows for name, rows in tables.items() if rows})
    if comparisons:
        paths.append(_table_path(folder, experiment, PUBLISHED))
        store.write_table([asdict(one) for one in comparisons], paths[-1])
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


def _table_path(folder, experiment, name):
    return folder / f"{experiment.name}-{name}.csv"


def _comparisons(experiment, tables):
    compare = getattr(experiment.module, "compare", None)
    return compare(tables) if compare else []


def _drawn(experiment, budget):
    """Draw what the tables hold."""
    from proxylab.plots.style import save  # matplotlib is slow to load

    folder = store.shown_folder("tables", budget)
    record = folder / f"{experiment.name}.json"
    if not record.is_file():
        command = f"proxylab reproduce {experiment.name} --budget {budget}"
        raise UsageError(f"no tables of {experiment.name} in {folder}: {command} makes them")
    prefix = f"{experiment.name}-"
    facts = store.read_json(record)
    tables = {
        Path(name).stem.removeprefix(prefix): store.read_table(folder / name)
        for name in facts["tables"]
    }
    published = tuple(PublishedComparison(**row) for row in map(_filled, tables.pop(PUBLISHED, [])))
    figures = []
    for name, figure in experiment.module.draw(tables).items():
        stem = experiment.name if not name else f"{experiment.name}-{name}"
        figures += map(str, save(figure, store.shown_folder("figures", budget) / stem))
    return Reproduced(
        experiment.name,
        experiment.claim,
        budget,
        points=facts["points"],
        hours=facts["cpu_hours"],
        figures=tuple(figures),
        comparisons=published,
    )


def _filled(row):
    """A row of the published table; an empty text comes back from CSV as None."""
    return {f.name: "" if row[f.name] is None else row[f.name] for f in fields(PublishedComparison)}


def _foreseen(experiment, budget):
    """How many runs are new, and how long they will take by those that are there."""
    points = _points(experiment, budget)
    done = [is_done(experiment, budget, point) for point in points]
    new = {p.job.folder: p for p, (trained, _) in zip(points, done, strict=True) if not trained}
    return Reproduced(
        experiment.name,
        experiment.claim,
        budget,
        points=len(points),
        found=sum(map(all, done)),
        hours=sum(map(_expected_hours, new.values())),
    )


def _expected_hours(point):
    """CPU hours of a run, from the rate of complete runs of its task; else a plain guess."""
    rates = [row["steps_per_second"] for row in store.rates(point.job.config.task)]
    rate = sorted(rates)[len(rates) // 2] if rates else GUESSED_RATE
    return point.job.config.total_timesteps / rate / 3600


GUESSED_RATE = 10_000
"""Training steps a second where no run of the task is there to tell."""
