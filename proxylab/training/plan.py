"""From options to runs: the configuration and the folder of each run."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxylab.agents.format import check_sizes
from proxylab.agents.references import check_stored
from proxylab.config import (
    BCConfig,
    EvadeConfig,
    PoisonConfig,
    PPOConfig,
    TrainConfig,
    current_architecture,
)
from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError, choices
from proxylab.storage import store
from proxylab.storage.limits import LIMITS, read_within
from proxylab.tasks import TASKS
from proxylab.training.jobs import run_jobs
from proxylab.training.memory import check_memory
from proxylab_envs.batch import BatchedEnv

if TYPE_CHECKING:
    from proxylab.training.train import TrainResult

MAX_RUNS = 1000
HYPERPARAMETERS = {
    "ppo": tuple(f.name for f in fields(PPOConfig)),
    "bc": tuple(f.name for f in fields(BCConfig)),
    "evade": tuple(f.name for f in fields(EvadeConfig)),
}
"""{table of a configuration file: its options}."""
OPTIONS = tuple(
    f.name
    for f in fields(TrainConfig)
    if f.name not in ("task", "role", "poison", "reward_sha256", *HYPERPARAMETERS)
)
"""Options of a configuration file, besides these tables."""
TABLES = (*HYPERPARAMETERS, "sizes", "env")


@dataclass(frozen=True)
class TrainingJob:
    """A planned run: its configuration and its folder."""

    config: TrainConfig
    folder: Path


@dataclass(frozen=True)
class Plan:
    """The runs of a command line; ``train --dry-run`` prints them."""

    jobs: list[TrainingJob]

    def as_json(self) -> dict[str, Any]:
        """The object that ``train --dry-run --json`` prints."""
        runs = [
            {"run": str(job.folder), "fingerprint": job.config.fingerprint, **asdict(job.config)}
            for job in self.jobs
        ]
        return {"schema": "proxylab.train-plan/1", "runs": runs}


@dataclass(frozen=True)
class TrainReport:
    """The results of one run or of several."""

    runs: "list[TrainResult]"

    def as_json(self) -> dict[str, Any]:
        """The object that ``train --json`` prints: one run, or a list of several."""
        if len(self.runs) == 1:
            return self.runs[0].as_json()
        return {"schema": "proxylab.train-many/1", "runs": [run.as_json() for run in self.runs]}


def plan(
    task: str,
    role: str = "proxy",
    seeds: Sequence[int] = (0,),
    out: str | Path | None = None,
    file: str | Path | None = None,
    ppo: Mapping[str, Any] | None = None,
    bc: Mapping[str, Any] | None = None,
    evade: Mapping[str, Any] | None = None,
    poison: PoisonConfig | None = None,
    **options: Any,
) -> Plan:
    """The jobs of a command line.

    Args:
        task: task name.
        role: role of the task.
        seeds: seeds, one run per seed.
        out: folder of the run (with several seeds, the parent of their folders); by default
            below results/runs.
        file: TOML file with options; arguments override it.
        ppo: {hyperparameter: value}.
        bc: {option of behaviour cloning: value}.
        evade: {option of training against a detector: value}.
        poison: what is poisoned, for experiments on trojans; no option of the command line.
        options: fields of ``TrainConfig``; ``None`` leaves the preset's.

    Returns:
        :class:`Plan`.

    Raises:
        UsageError: an unknown name or an invalid value.
    """
    from proxylab.training.train import make_config  # imports torch and SB3

    changes = read_options(file) if file else {}
    changes |= {name: value for name, value in options.items() if value is not None}
    preset = make_config(task, role, "cpu", algorithm=changes.get("algorithm"))
    changes["ppo"] = _replaced("ppo", preset.ppo, {**changes.get("ppo", {}), **(ppo or {})})
    changes["bc"] = _replaced("bc", preset.bc, {**changes.get("bc", {}), **(bc or {})})
    changes["evade"] = _evasion({**changes.get("evade", {}), **(evade or {})})
    named = current_architecture(changes.get("architecture", preset.architecture))
    alike = named == preset.architecture
    changes["sizes"] = (preset.sizes if alike else {}) | changes.get("sizes", {})
    changes.pop("seed", None)
    jobs = []
    for seed in seeds:
        config = make_config(task, role, seed=seed, poison=poison, **changes)
        _check(config)
        folder = _folder(out, seed, len(seeds)) or store.run_folder(config, preset)
        jobs.append(TrainingJob(config, folder))
    return Plan(jobs)


def _check(config: TrainConfig) -> None:
    """``UsageError`` if sizes, environment or reward are invalid or a number is too large."""
    check_sizes(config.sizes)
    if config.start_from is not None:
        _check_reference("start_from", config.start_from)
    limited = {"n_epochs": config.ppo.n_epochs, "batch_size": config.ppo.batch_size}
    limited |= {name: getattr(config, name) for name in ("num_envs", "threads", "total_timesteps")}
    for name, value in limited.items():
        limit = LIMITS.rollout_steps if name == "batch_size" else getattr(LIMITS, name)
        if value > limit:
            raise UsageError(f"{name} {value} is over {limit}")
    if config.num_envs * config.ppo.n_steps > LIMITS.rollout_steps:
        raise UsageError(f"num_envs times n_steps is over {LIMITS.rollout_steps}")
    try:
        env = TASKS[config.task].make_env(1, **config.env)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"env: {error}") from None
    _check_reward(config, env)
    check_memory(config, env)
    if config.evade is not None:
        from proxylab.detection.scores.registry import find_score  # loads all detectors

        find_score(config.evade.detector)
    if config.bc is not None:
        from proxylab.training.demonstrations import check_expert  # imports torch

        check_expert(config)
    if config.poison is not None:
        from proxylab.training.poisoning import check_poison  # imports torch

        check_poison(config)


def _check_reward(config: TrainConfig, env: BatchedEnv[Any]) -> None:
    """``UsageError`` for an unknown reward, or a reward model or reference that does not fit."""
    for option in ("kl_to", "occupancy_to"):
        reference = getattr(config, option)
        if reference is not None:
            _check_reference(option, reference)
    if config.reward_folder is None:
        try:
            env.weights(config.reward)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return
    from proxylab.training.learned_reward import check_observations, reward_model_of  # torch

    check_observations(reward_model_of(config), env)


def _check_reference(option: str, reference: str) -> None:
    """``UsageError`` for a reference to code or a pattern: only stored agents load."""
    try:
        check_stored(reference)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def _replaced(
    table: str, preset: PPOConfig | BCConfig | None, changes: Mapping[str, Any]
) -> PPOConfig | BCConfig | None:
    """``preset`` with changes; ``UsageError`` names the table of an invalid one."""
    if preset is None and changes:
        raise UsageError(f"{table}: these options need the algorithm {table}")
    try:
        return preset and replace(preset, **changes)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{table}: {error}") from None


def _evasion(options: Mapping[str, Any]) -> EvadeConfig | None:
    """The detector to train against, or None; ``UsageError`` names a missing or invalid option."""
    if not options:
        return None
    missing = [f.name for f in fields(EvadeConfig) if f.name not in options]
    if missing:
        raise UsageError(f"evade: {missing[0]} is missing")
    try:
        return EvadeConfig(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"evade: {error}") from None


def _folder(out: str | Path | None, seed: int, count: int) -> Path | None:
    if out is None:
        return None
    return Path(out) / f"seed-{seed}" if count > 1 else Path(out)


def read_options(path: str | Path) -> dict[str, Any]:
    """Options of a TOML file: {field of TrainConfig: value}; ``UsageError`` names the error."""
    raw = read_within(Path(path), LIMITS.config_bytes)
    if any(line.count(b".") > LIMITS.config_dots for line in raw.split(b"\n")):
        raise UsageError(f"{path}: a line has more than {LIMITS.config_dots} dots")
    try:
        options = tomllib.loads(raw.decode())
    except RecursionError:
        raise UsageError(f"{path}: this is not TOML: it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{path}: this is not TOML: {error}") from None
    for name in TABLES:
        if not isinstance(options.get(name, {}), dict):
            raise UsageError(f"{path}: {name} is no table of options")
    _check_depth(options, path)
    tabled = [f"{table}.{name}" for table, names in HYPERPARAMETERS.items() for name in names]
    unknown = [name for name in options if name not in (*OPTIONS, *HYPERPARAMETERS)]
    given = [f"{table}.{name}" for table in HYPERPARAMETERS for name in options.get(table, {})]
    unknown += [name for name in given if name not in tabled]
    if unknown:
        listed = choices(unknown[0], (*OPTIONS, *tabled))
        raise UsageError(f"{path}: unknown option {unknown[0]!r}: {listed}")
    return options


def _check_depth(table: dict[str, Any], path: str | Path) -> None:
    """``UsageError`` for deeply nested tables: dotted keys nest without brackets."""
    level: list[Any] = [table]
    for _ in range(LIMITS.config_depth):
        level = [v for t in level for v in (t.values() if isinstance(t, dict) else t)]
        level = [value for value in level if isinstance(value, (dict, list))]
    if level:
        raise UsageError(f"{path}: tables are nested more than {LIMITS.config_depth} deep")


def parse_seeds(text: int | str) -> list[int]:
    """Seeds from ``3``, ``0-9`` or ``0-4,7``: list of int in this order, without repetitions."""
    seeds: list[int] = []
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
    found: Plan,
    jobs: int | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    bar: Callable[[TrainingJob], AbstractContextManager[Any]] | None = None,
    track: Track = no_progress,
    trackers: Sequence[str] = (),
    snapshots: int | None = None,
) -> TrainReport:
    """Train every job of a plan: a single one in this process, several in processes.

    Args:
        found: the plan.
        jobs: number of processes, for several runs.
        resume: continue unfinished runs from their checkpoints.
        force: delete existing runs and start anew.
        bar: function (:class:`TrainingJob`) -> context manager of an object with ``show``.
        track: function (list, description) -> iterable, to show progress of several runs.
        trackers: where curves go besides: ``tensorboard``, ``wandb`` (one run only).
        snapshots: number of snapshots of the run (one run only).

    Returns:
        :class:`TrainReport`.
    """
    from proxylab.training.train import run_job  # imports torch and SB3

    if len(found.jobs) > 1:
        if trackers:
            raise UsageError("--track follows one run: give it one seed")
        if snapshots:
            raise UsageError("--snapshots are of one run: give it one seed")
        return TrainReport(run_jobs(found.jobs, jobs, resume=resume, force=force, track=track))
    (job,) = found.jobs
    with bar(job) if bar else nullcontext() as shown:
        options = {"resume": resume, "force": force, "bar": shown, "trackers": trackers}
        options["snapshots"] = snapshots
        return TrainReport([run_job(job.config, job.folder, **options)])
