"""The parts of an experiment, and the loading of the files in ``experiments/``.

An experiment is a module with

    CLAIM       the claim, one sentence
    SWEEP       {budget: settings} for the budgets ``smoke``, ``laptop`` and ``paper``;
                the settings of ``measure`` are under the key ``measure``
    points(settings) -> list[Point]            the runs, each with its labels
    measure(policy, point, settings) -> rows   the measurements of one run: list of dicts
    analyse(rows) -> {table: rows}             estimates with intervals over seeds
    draw(tables) -> {figure: matplotlib Figure}
    compare(tables) -> list[PublishedComparison]        comparison with published numbers; optional
    prepare(point)              makes the agent of a point without a job, if missing; optional

``analyse`` receives the rows of all runs, each with the labels of its point. ``draw`` also
receives these rows, as the table ``runs``. Only ``prepare``, ``measure`` and ``points`` may run
agents.
"""

import functools
import hashlib
import importlib.util
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from proxylab.agents.references import load_agent
from proxylab.errors import UsageError
from proxylab.screening.detectors import detector_of
from proxylab.storage import store
from proxylab.training.plan import TrainingJob, plan

BUDGETS = ("smoke", "laptop", "paper")
DETECTORS = "detectors"
"""Setting of ``measure`` in experiments that compare detectors: their names."""
INSTALLED = "share/proxylab/experiments/*.py"
"""The experiments among the files of a wheel."""
PARTS = ("CLAIM", "SWEEP", "points", "measure", "analyse", "draw")


@dataclass(frozen=True)
class Point:
    """One run of a sweep with its labels.

    Attributes:
        labels: columns that identify the point, including the seed.
        job: the training run, or None.
        agent: reference of an existing agent, where nothing is trained.
    """

    labels: dict[str, Any]
    job: TrainingJob | None = None
    agent: str = ""

    @property
    def source(self) -> str:
        """Folder of the run, or reference of the agent."""
        return str(self.job.folder) if self.job else self.agent


@dataclass(frozen=True)
class PublishedComparison:
    """A comparison with a published number; the tolerance was fixed before the measurement.

    Attributes:
        quantity: the compared quantity.
        published: the published number.
        source: publication of the number.
        ours: our number.
        low: lower end of its 95 % interval over seeds.
        high: upper end.
        tolerance: the criterion, in words.
        passed: whether the criterion is met.
        reason: possible reason for a failure.
    """

    quantity: str
    published: float
    source: str
    ours: float
    low: float
    high: float
    tolerance: str
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Experiment:
    """A loaded experiment.

    Attributes:
        name: name on the command line, with hyphens.
        path: path of the file.
        module: the loaded module.
        how: source of its ``measure`` when it was loaded: the file may change meanwhile.
        detectors: references of detectors that are measured besides its own.
    """

    name: str
    path: Path
    module: ModuleType = field(repr=False)
    how: str = field(repr=False)
    detectors: tuple[str, ...] = ()

    @property
    def claim(self) -> str:
        """The claim of the experiment, one sentence."""
        return self.module.CLAIM

    def settings(self, budget: str) -> dict[str, Any]:
        """The settings of a budget; ``UsageError`` where the experiment has none."""
        if budget not in self.module.SWEEP:
            known = ", ".join(self.module.SWEEP)
            raise UsageError(f"{self.name} has no budget {budget!r}: choose {known}")
        settings = self.module.SWEEP[budget]
        if not self.detectors:
            return settings
        own = settings.get("measure", {})
        if DETECTORS not in own:
            raise UsageError(f"{self.name} compares no detectors: leave out --detector")
        return {**settings, "measure": {**own, DETECTORS: (*own[DETECTORS], *self.detectors)}}

    def shown_as(self, budget: str) -> str:
        """The budget in the path of its results; other detectors never touch committed ones."""
        return f"{budget}-own" if self.detectors else budget


def grid(
    task: str,
    role: str,
    seeds: Iterable[int],
    labels: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Point]:
    """Points of one configuration, one run per seed.

    Args:
        task: task name.
        role: role of the task.
        seeds: one point per seed.
        labels: further columns beside task, role and seed.
        options: fields of ``TrainConfig`` that differ from the preset (``ppo`` as a dict).
    """
    jobs = plan(task, role, tuple(seeds), **options).jobs
    columns = {"task": task, "role": role, **(labels or {})}
    return [Point({**columns, "seed": job.config.seed}, job) for job in jobs]


def experiments_folder(start: str | Path = ".") -> Path | None:
    """The nearest folder ``experiments`` in ``start`` or its parents, else the installed one.

    None where neither exists: the package is a copy that was not installed.
    """
    here = Path(start).resolve()
    candidates = (folder / "experiments" for folder in (here, *here.parents))
    return next((folder for folder in candidates if folder.is_dir()), installed_experiments())


def installed_experiments() -> Path | None:
    """Folder of the experiments that came with the package: of its checkout, or of its wheel."""
    checkout = Path(__file__).parents[2] / "experiments"
    if checkout.is_dir():
        return checkout
    try:
        files = metadata.files("proxylab") or []
    except metadata.PackageNotFoundError:
        return None
    marks = (Path(str(file.locate())) for file in files if file.match(INSTALLED))
    return next((path.resolve().parent for path in marks), None)


def find_experiments(folder: str | Path | None = None) -> dict[str, Path]:
    """{name: file} of the experiments in ``folder``, by default the nearest ``experiments/``.

    Raises:
        UsageError: there is no such folder.
    """
    location = Path(folder) if folder else experiments_folder()
    if location is None or not location.is_dir():
        where = folder or "a folder experiments/ from here upwards, and none installed"
        raise UsageError(f"there is no {where}: --experiments DIR names one")
    return {path.stem.replace("_", "-"): path for path in sorted(location.glob("*.py"))}


def load_experiment(path: str | Path, detectors: Sequence[str] = ()) -> Experiment:
    """The :class:`Experiment` of a file; ``UsageError`` names a missing part.

    Args:
        path: the file.
        detectors: references of detectors to measure besides its own.
    """
    path = Path(path).resolve()
    return Experiment(path.stem.replace("_", "-"), path, *_module(str(path)), tuple(detectors))


@functools.lru_cache(maxsize=64)
def _module(path: str) -> tuple[ModuleType, str]:
    """The module of a file, executed once, and the source of its ``measure``."""
    spec = importlib.util.spec_from_file_location(f"proxylab_experiment_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise UsageError(f"{path} is no experiment: it lacks {', '.join(missing)}")
    return module, inspect.getsource(module.measure)


@dataclass(frozen=True)
class Assignment:
    """The job of a worker process: one point of an experiment.

    Attributes:
        path: file of the experiment.
        budget: name of the budget.
        point: the point to train and measure.
        detectors: see :class:`Experiment`.
    """

    path: str
    budget: str
    point: Point
    detectors: tuple[str, ...] = ()


def run_assignment(assignment: Assignment) -> list[dict[str, Any]]:
    """Rows of one point with its labels; completed training and measurements are reused."""
    experiment = load_experiment(assignment.path, assignment.detectors)
    settings, point = experiment.settings(assignment.budget), assignment.point
    if point.job is not None:
        from proxylab.training.train import run_job  # imports torch and SB3

        run_job(point.job.config, point.job.folder, resume=True)
    file = measured_file(experiment, settings, point)
    if not file.is_file():
        if point.job is None and hasattr(experiment.module, "prepare"):
            experiment.module.prepare(point)
        store.write_json(file, {"rows": _measured(experiment, settings, point)})
    return [{**point.labels, **row} for row in store.read_json(file)["rows"]]


def _measured(
    experiment: Experiment, settings: Mapping[str, Any], point: Point
) -> list[dict[str, Any]]:
    """Rows of measurements of one point, as plain Python numbers."""
    rows = experiment.module.measure(load_agent(point.source), point, settings)
    return [{name: store.as_plain(value) for name, value in row.items()} for row in rows]


def measured_file(experiment: Experiment, settings: Mapping[str, Any], point: Point) -> Path:
    """File of the measurements of a point; its name is a hash of everything they depend on."""
    dependencies = {
        "measure": settings.get("measure", {}),
        "labels": point.labels,
        "agent": point.job.config.fingerprint if point.job else point.agent,
        "how": experiment.how,
    }
    if experiment.detectors:
        files = [inspect.getfile(type(detector_of(own))) for own in experiment.detectors]
        dependencies["detectors"] = [Path(file).read_text() for file in files]
    text = json.dumps(dependencies, sort_keys=True, default=str)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return store.measures_folder(experiment.name) / f"{name}.json"


def is_done(experiment: Experiment, budget: str, point: Point) -> tuple[bool, bool]:
    """(trained, measured): whether a point's run and measurements are complete."""
    trained = point.job is None or store.is_complete(point.job.folder)
    return trained, measured_file(experiment, experiment.settings(budget), point).is_file()
