"""From options to runs: which configuration is trained, and in which folder."""

import tomllib
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from proxylab.agents.format import check_sizes
from proxylab.config import PPOConfig, TrainConfig
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.storage.limits import LIMITS, read_within
from proxylab.tasks import TASKS
from proxylab.training.jobs import run_jobs

MAX_RUNS = 1000
OPTIONS = tuple(f.name for f in fields(TrainConfig) if f.name not in ("task", "role", "ppo"))
"""What a configuration file may set, beside the tables ``ppo``, ``sizes`` and ``env``."""
TABLES = ("ppo", "sizes", "env")
HYPERPARAMETERS = tuple(f.name for f in fields(PPOConfig))


@dataclass(frozen=True)
class TrainingJob:
    """One run to be: its configuration and its folder."""

    config: TrainConfig
    folder: Path


@dataclass(frozen=True)
class Plan:
    """What ``train --dry-run`` shows."""

    jobs: list[TrainingJob]

    def as_json(self):
        """The object that ``train --dry-run --json`` prints."""
        runs = [
            {"run": str(job.folder), "fingerprint": job.config.fingerprint, **asdict(job.config)}
            for job in self.jobs
        ]
        return {"schema": "proxylab.train-plan/1", "runs": runs}


@dataclass(frozen=True)
class TrainReport:
    """The results of one run or of several."""

    runs: list

    def as_json(self):
        """What ``train --json`` prints: the run, or an object that holds several."""
        if len(self.runs) == 1:
            return self.runs[0].as_json()
        return {"schema": "proxylab.train-many/1", "runs": [run.as_json() for run in self.runs]}


def plan(task, role="proxy", seeds=(0,), out=None, file=None, ppo=None, **options):
    """The jobs of a command line.

    Args:
        task: task name.
        role: role of the task.
        seeds: seeds, a run each.
        out: folder of the run (of several: of their folders); by default below results/runs.
        file: TOML file with options; those given here go before it.
        ppo: {hyperparameter: value}.
        options: fields of ``TrainConfig``; ``None`` leaves the preset's.

    Returns:
        :class:`Plan`.

    Raises:
        UsageError: a name or a value that cannot be.
    """
    from proxylab.training.train import make_config  # imports torch and SB3

    given = read_options(file) if file else {}
    given |= {name: value for name, value in options.items() if value is not None}
    preset = make_config(task, role, "cpu")
    given["ppo"] = _hyperparameters(preset.ppo, given.get("ppo", {}) | (ppo or {}))
    alike = given.get("architecture", preset.architecture) == preset.architecture
    given["sizes"] = (preset.sizes if alike else {}) | given.get("sizes", {})
    given.pop("seed", None)
    jobs = []
    for seed in seeds:
        config = make_config(task, role, seed=seed, **given)
        _check(config)
        folder = _folder(out, seed, len(seeds)) or store.run_folder(config, preset)
        jobs.append(TrainingJob(config, folder))
    return Plan(jobs)


def _check(config):
    """``UsageError`` where sizes, environment or reward are impossible or a number is too large."""
    check_sizes(config.sizes)
    for name in ("num_envs", "threads"):
        if getattr(config, name) > getattr(LIMITS, name):
            raise UsageError(f"{name} {getattr(config, name)} is over {getattr(LIMITS, name)}")
    if config.num_envs * config.ppo.n_steps > LIMITS.rollout_steps:
        raise UsageError(f"num_envs times n_steps is over {LIMITS.rollout_steps}")
    try:
        env = TASKS[config.task].make_env(1, **config.env)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"env: {error}") from None
    try:
        env.weights(config.reward)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _hyperparameters(preset, changes):
    try:
        return replace(preset, **changes)
    except (TypeError, ValueError) as error:
        raise UsageError(f"ppo: {error}") from None


def _folder(out, seed, count):
    if out is None:
        return None
    return Path(out) / f"seed-{seed}" if count > 1 else Path(out)


def read_options(path):
    """Options of a TOML file: {field of TrainConfig: value}; ``UsageError`` names what is wrong."""
    raw = read_within(path, LIMITS.config_bytes)
    try:
        found = tomllib.loads(raw.decode())
    except RecursionError:
        raise UsageError(f"{path}: this is not TOML: it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{path}: this is not TOML: {error}") from None
    for name in TABLES:
        if not isinstance(found.get(name, {}), dict):
            raise UsageError(f"{path}: {name} is no table of options")
    unknown = [name for name in found if name not in (*OPTIONS, "ppo")]
    unknown += [f"ppo.{name}" for name in found.get("ppo", {}) if name not in HYPERPARAMETERS]
    if unknown:
        known = ", ".join((*OPTIONS, *(f"ppo.{name}" for name in HYPERPARAMETERS)))
        raise UsageError(f"{path}: unknown option {unknown[0]!r}: choose {known}")
    return found


def parse_seeds(text):
    """Seeds from ``3``, ``0-9`` or ``0-4,7``: list of int, in this order, each once."""
    seeds = []
    for part in str(text).split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"seeds {text!r}: write them as 3, 0-9 or 0-4,7")
        low, high = int(first), int(last) if dash else int(first)
        if high < low or high - low >= MAX_RUNS:
            raise UsageError(f"seeds {text!r}: {part} is empty or has more than {MAX_RUNS}")
        seeds += range(low, high + 1)
    return list(dict.fromkeys(seeds))


def train_all(
    found, jobs=None, *, resume=False, force=False, bar=None, track=None, tensorboard=False
):
    """Train every job of a :class:`Plan`: one here, several in processes: :class:`TrainReport`.

    Args:
        found: the plan.
        jobs: processes at once, for several runs.
        resume: go on from checkpoints of unfinished runs.
        force: start anew whatever is in a folder.
        bar: function (:class:`TrainingJob`) -> context manager of something with ``show``.
        track: function (list, description) -> iterable, to show progress of several runs.
        tensorboard: write TensorBoard logs (one run only).
    """
    from proxylab.training.train import run_job  # imports torch and SB3

    if len(found.jobs) > 1:
        if tensorboard:
            raise UsageError("--tensorboard follows one run: give it one seed")
        return TrainReport(run_jobs(found.jobs, jobs, resume=resume, force=force, track=track))
    (job,) = found.jobs
    with bar(job) if bar else nullcontext() as shown:
        options = {"resume": resume, "force": force, "bar": shown, "tensorboard": tensorboard}
        return TrainReport([run_job(job.config, job.folder, **options)])
