"""What an experiment is made of, and how the files in ``experiments/`` are found and loaded.

An experiment is a module with

    CLAIM       what it shows, in a sentence
    SWEEP       {budget: settings}, the budgets ``smoke``, ``laptop`` and ``paper``;
                what ``measure`` uses of them stands under the key ``measure``
    points(settings) -> list[Point]            the runs, each with its labels
    measure(policy, point, settings) -> rows   what is measured of one run: list of dicts
    analyse(rows) -> {table: rows}             figures with intervals over seeds
    draw(tables) -> {figure: matplotlib Figure}
    compare(tables) -> list[PublishedComparison]        beside published numbers; may be left out

``analyse`` gets the rows of all runs, each with its point's labels; the table ``runs`` of
these rows is always there for ``draw``. Nothing but ``measure`` and ``points`` may run agents.
"""

import functools
import hashlib
import importlib.util
import inspect
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from proxylab.agents.loading import load_agent
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.training.plan import TrainingJob, plan

BUDGETS = ("smoke", "laptop", "paper")
PARTS = ("CLAIM", "SWEEP", "points", "measure", "analyse", "draw")


@dataclass(frozen=True)
class Point:
    """One run of a sweep and what it stands for.

    Attributes:
        labels: columns that name the point, the seed among them.
        job: the training run, or None.
        agent: reference of an agent that is there already, where nothing is trained.
    """

    labels: dict
    job: TrainingJob | None = None
    agent: str = ""

    @property
    def source(self):
        """Where the agent is to be found."""
        return str(self.job.folder) if self.job else self.agent


@dataclass(frozen=True)
class PublishedComparison:
    """A published figure beside ours; the tolerance was fixed before looking.

    Attributes:
        quantity: what is compared.
        published: their figure.
        source: where it stands.
        ours: our figure.
        low: lower end of its 95 % interval over seeds.
        high: upper end.
        tolerance: the rule, in words.
        passed: whether it holds.
        reason: why it may not.
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
        name: as on the command line, with hyphens.
        path: its file.
        module: what it holds.
    """

    name: str
    path: Path
    module: ModuleType = field(repr=False)

    @property
    def claim(self):
        """What it shows."""
        return self.module.CLAIM

    def settings(self, budget):
        """The settings of a budget; ``UsageError`` where it has none."""
        if budget not in self.module.SWEEP:
            known = ", ".join(self.module.SWEEP)
            raise UsageError(f"{self.name} has no budget {budget!r}: choose {known}")
        return self.module.SWEEP[budget]


def grid(task, role, seeds, labels=None, **options):
    """Points of one configuration, a run a seed.

    Args:
        task: task name.
        role: role of the task.
        seeds: seeds, a point each.
        labels: further columns; task, role and seed are always there.
        options: fields of ``TrainConfig`` that differ from the preset (``ppo`` as a dict).
    """
    jobs = plan(task, role, tuple(seeds), **options).jobs
    named = {"task": task, "role": role, **(labels or {})}
    return [Point({**named, "seed": job.config.seed}, job) for job in jobs]


def experiments_folder(start="."):
    """The nearest folder ``experiments`` from ``start`` upwards, or None."""
    here = Path(start).resolve()
    candidates = (folder / "experiments" for folder in (here, *here.parents))
    return next((folder for folder in candidates if folder.is_dir()), None)


def find_experiments(folder=None):
    """{name: file} of the experiments in ``folder``, by default the nearest ``experiments/``.

    Raises:
        UsageError: there is no such folder.
    """
    found = Path(folder) if folder else experiments_folder()
    if found is None or not found.is_dir():
        where = folder or "a folder experiments/ from here upwards"
        raise UsageError(f"no {where}: experiments belong to a checkout; --experiments names one")
    return {path.stem.replace("_", "-"): path for path in sorted(found.glob("*.py"))}


def load_experiment(path):
    """The :class:`Experiment` of a file; ``UsageError`` says which part is missing."""
    path = Path(path).resolve()
    return Experiment(path.stem.replace("_", "-"), path, _module(str(path)))


@functools.lru_cache(maxsize=64)
def _module(path):
    spec = importlib.util.spec_from_file_location(f"proxylab_experiment_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise UsageError(f"{path} is no experiment: it lacks {', '.join(missing)}")
    return module


@dataclass(frozen=True)
class Assignment:
    """A point together with the experiment that asks for it: what a worker gets.

    Attributes:
        path: file of the experiment.
        budget: name of the budget.
        point: what to train and measure.
    """

    path: str
    budget: str
    point: Point


def run_assignment(assignment):
    """Train and measure one point, or find it done: the rows, with the point's labels."""
    experiment = load_experiment(assignment.path)
    settings, point = experiment.settings(assignment.budget), assignment.point
    if point.job is not None:
        from proxylab.training.train import run_job  # imports torch and SB3

        run_job(point.job.config, point.job.folder, resume=True)
    file = measured_file(experiment, settings, point)
    if not file.is_file():
        store.write_json(file, {"rows": _measured(experiment, settings, point)})
    return [{**point.labels, **row} for row in store.read_json(file)["rows"]]


def _measured(experiment, settings, point):
    rows = experiment.module.measure(load_agent(point.source), point, settings)
    return [{name: store.as_plain(value) for name, value in row.items()} for row in rows]


def measured_file(experiment, settings, point):
    """Where the measurements of a point are kept; another question has another file."""
    asked = {
        "measure": settings.get("measure", {}),
        "labels": point.labels,
        "agent": point.job.config.fingerprint if point.job else point.agent,
        "how": inspect.getsource(experiment.module.measure),
    }
    text = json.dumps(asked, sort_keys=True, default=str)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return store.measures_folder(experiment.name) / f"{name}.json"


def is_done(experiment, budget, point):
    """(trained, measured) of a point."""
    trained = point.job is None or store.is_complete(point.job.folder)
    return trained, measured_file(experiment, experiment.settings(budget), point).is_file()
