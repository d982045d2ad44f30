"""Train one agent: from a configuration to a complete run folder.

Equal configurations give equal bytes, also if the run was interrupted and resumed. Paths
are defined in ``store``, checkpoints in ``checkpoint``.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import A2C, PPO

from proxylab.config import MODEL, TrainConfig, shifted_share
from proxylab.console.output import TrainingBar
from proxylab.errors import UsageError
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.storage.provenance import commit, machine, versions
from proxylab.tasks import TASKS, known_task
from proxylab.training.accel import AccelVecEnv, editor_of
from proxylab.training.callbacks import Evaluator, TrainingCallback
from proxylab.training.checkpoint import load_checkpoint
from proxylab.training.cloning import BehaviourCloning
from proxylab.training.curriculum import ReplayVecEnv
from proxylab.training.demonstrations import demonstrations_of
from proxylab.training.learned_reward import (
    ModelRewardVecEnv,
    model_facts,
    penalty_options,
    reward_model_of,
)
from proxylab.training.memory import check_memory
from proxylab.training.occupancy import OccupancyVecEnv, occupancy_of
from proxylab.training.poisoning import buffer_options, poisoned_environments
from proxylab.training.saving import Snapshots, save_trained, snapshot_folders
from proxylab.training.sb3_policy import load_weights, policy_arguments, reset_values
from proxylab.training.tracking import check_trackers, tracking
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.train/1"


@dataclass(frozen=True)
class TrainResult:
    """The result of a run; ``train --json`` prints it.

    Attributes:
        task: name of the task.
        role: of the agent.
        seed: of the run.
        run: folder of the run.
        timesteps: environment steps.
        seconds: wall-clock time, with compilation and evaluations, summed over sessions.
        steps_per_second: timesteps over seconds.
        seconds_to_competence: time of the second of two successive evaluations on fixed
            held-out levels of the training kind (512; fewer in some tasks) with at least 95 %
            success; None if there are none.
        iid_success: success rate on further held-out levels of the training kind.
        skipped: the run was complete already.
        schema: of this object as JSON.
    """

    task: str
    role: str
    seed: int
    run: str
    timesteps: int
    seconds: float
    steps_per_second: float
    seconds_to_competence: float | None
    iid_success: float
    skipped: bool = False
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The object that ``train --json`` prints."""
        return asdict(self)


def make_config(
    task: str, role: str = "proxy", device: str = "auto", **changes: Any
) -> TrainConfig:
    """A :class:`TrainConfig` from a task's preset; ``UsageError`` for invalid values.

    Args:
        task: name of the task.
        role: one of its roles.
        device: ``auto`` (the CPU: these networks are small), ``cpu`` or ``cuda``.
        changes: fields of TrainConfig, None for the preset's.
    """
    known_task(task)
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {device!r}: choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device here: use --device cpu")
    changes["device"] = "cpu" if device == "auto" else device
    if str(changes.get("reward") or "").startswith(MODEL):
        changes |= model_facts(str(changes["reward"]))
    try:
        config = TASKS[task].train_config(role, **changes)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None
    if config.edits_levels:
        editor_of(TASKS[task].make_env(1, **config.env))
    return config


def train(
    task: str,
    role: str = "proxy",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    bar: TrainingBar | None = None,
    trackers: Sequence[str] = (),
    snapshots: int | None = None,
    **changes: Any,
) -> TrainResult:
    """Train an agent, unless its run is complete.

    Args:
        task: name of the task.
        role: ``proxy``, ``trusted`` or another role of the task.
        out: folder of the run; by default below ``results/runs``, by task, variant and seed.
        resume: continue an unfinished run from its checkpoint.
        force: delete an existing run and start anew.
        bar: progress bar (:class:`~proxylab.console.output.TrainingBar`); none by default.
        trackers: where curves go besides: ``tensorboard``, ``wandb``.
        snapshots: number of times at which the agent is saved, in ``snapshots/`` of the run.
        changes: see :func:`make_config`.

    Returns:
        :class:`TrainResult`.

    Raises:
        UsageError: an invalid configuration, or a folder that holds another run.
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
    """
    config = make_config(task, role, **changes)
    preset = TASKS[task].train_config(role, algorithm=config.algorithm)
    folder = Path(out) if out else store.run_folder(config, preset)
    options: dict[str, Any] = {"trackers": trackers, "snapshots": snapshots}
    return run_job(config, folder, resume=resume, force=force, bar=bar, **options)


def run_job(
    config: TrainConfig,
    folder: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    bar: TrainingBar | None = None,
    trackers: Sequence[str] = (),
    snapshots: int | None = None,
) -> TrainResult:
    """Train ``config`` in ``folder``; a finished run is returned, not trained again."""
    folder = Path(folder)
    with store.only_writer(folder):
        return _run(config, folder, resume, force, bar, trackers, snapshots)


def _run(
    config: TrainConfig,
    folder: Path,
    resume: bool,
    force: bool,
    bar: TrainingBar | None,
    trackers: Sequence[str],
    snapshots: int | None,
) -> TrainResult:
    start = time.perf_counter()
    check_trackers(trackers)
    if force:
        _empty(folder)
    if _is_finished(folder, config, resume):
        (folder / store.CHECKPOINT).unlink(missing_ok=True)  # left if a run died at its very end
        if snapshots and not snapshot_folders(folder):
            raise UsageError(f"{folder} was trained without snapshots: --force trains it again")
        return _stored_result(folder)
    store.write_json(folder / store.CONFIG, config.as_json())
    record = _record(config)
    store.write_json(folder / store.RUN, {**record, "status": "running"})
    model = make_model(config)
    if config.start_from is not None:
        load_weights(model.policy, config.start_from)
        if config.evade is not None:
            reset_values(model.policy)
    taken = None if snapshots is None else Snapshots(folder, config, snapshots)
    callback = TrainingCallback(folder, config, Evaluator(config), start, bar, taken)
    remaining = _restore(folder, config, model, callback)
    with tracking(trackers, folder, config, model) as callback.writers:
        if remaining > 0:
            model.learn(remaining, callback=callback, reset_num_timesteps=not model.num_timesteps)
    return _finish(folder, config, model, callback, record)


def _stored_result(folder: Path) -> TrainResult:
    """The :class:`TrainResult` of a finished run; ``UsageError`` for a damaged field."""
    result = store.result_of(folder)
    kinds: dict[str, Any] = {"task": str, "role": str, "seed": int, "timesteps": int}
    kinds |= dict.fromkeys(("seconds", "steps_per_second", "iid_success"), float)
    kinds["seconds_to_competence"] = float | None
    for name, kind in kinds.items():
        value = result.get(name)
        expected = kind | int if kind is float and not isinstance(value, bool) else kind
        small = not isinstance(value, (int, float)) or abs(value) < 1e300
        if name not in result or not isinstance(value, expected) or not small:
            raise UsageError(f"{folder / store.RUN}: {name} is damaged: --force trains it again")
    values: dict[str, Any] = {name: result[name] for name in kinds}
    return TrainResult(**values, run=str(folder), skipped=True)


def _empty(folder: Path) -> None:
    """Delete a run, its mark of completeness first: a partly deleted run must not count.

    Raises:
        UsageError: the folder holds other files than those of a run.
    """
    entries = {path.name: path for path in folder.iterdir()}
    if entries and store.CONFIG not in entries:
        raise UsageError(f"{folder} holds something else: choose another --out")
    for name in sorted(entries, key=lambda name: (name != store.COMPLETE, name == store.CONFIG)):
        shutil.rmtree(entries[name]) if entries[name].is_dir() else entries[name].unlink()


def _is_finished(folder: Path, config: TrainConfig, resume: bool) -> bool:
    """Whether the run is complete; ``UsageError`` if the folder holds something else."""
    if not (folder / store.CONFIG).is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder} holds something else: choose another --out")
        return False
    stored = store.read_json(folder / store.CONFIG)
    if stored != json.loads(json.dumps(config.as_json())):
        raise UsageError(f"{folder} holds a run with other settings: --force replaces it")
    if store.is_complete(folder):
        return True
    if (folder / store.CHECKPOINT).is_file() and not resume:
        raise UsageError(f"{folder} is unfinished: --resume goes on, --force starts anew")
    return False


def make_model(config: TrainConfig, cloning: Callable[..., Any] = BehaviourCloning) -> Any:
    """The SB3 algorithm of a configuration with its environment, newly seeded.

    Args:
        config: of the run.
        cloning: makes the algorithm of behaviour cloning, from the arguments of
            :class:`~proxylab.training.cloning.BehaviourCloning`.
    """
    check_memory(config, TASKS[config.task].make_env(1, **config.env))
    torch.set_num_threads(config.threads)
    common: dict[str, Any] = {
        "env": _environments(config),
        "learning_rate": linear_schedule(config.ppo.learning_rate),
        "seed": stream_seed(config.seed, "training") % 2**32,
        "device": config.device,
        **policy_arguments(config.architecture, config.sizes),
    }
    if config.bc is not None:
        return cloning(**common | _cloning_options(config))
    names = ("n_steps", "gamma", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    common |= {name: getattr(config.ppo, name) for name in names}
    common |= penalty_options(config)
    if config.algorithm == "a2c":
        return A2C(**common, use_rms_prop=False)
    own = {name: getattr(config.ppo, name) for name in ("batch_size", "n_epochs", "clip_range")}
    return PPO(**common, **own, **buffer_options(config))


def _environments(config: TrainConfig) -> BatchedVecEnv:
    """The training environments: honest, poisoned, or those in which a detector costs."""
    levels = Levels("train", shifted_share(config.levels), config.num_levels)
    seed = stream_seed(config.seed, "training levels")
    if config.poison is not None:
        return poisoned_environments(config, levels, seed)
    env = TASKS[config.task].make_env(config.num_envs, **config.env)
    if config.reward_folder is not None:
        model, how = reward_model_of(config), str(config.reward_combine)
        return ModelRewardVecEnv(
            env, levels, seed, config.reward_scale, model=model, how=how, gamma=config.ppo.gamma
        )
    given = (env, levels, config.reward, seed, config.reward_scale)
    if config.curriculum is not None:
        kind = AccelVecEnv if config.edits_levels else ReplayVecEnv
        return kind(*given, oracle=config.curriculum == "oracle")
    if config.occupancy is not None:
        return OccupancyVecEnv(*given, occupancy=occupancy_of(config))
    if config.evade is None:
        return BatchedVecEnv(*given)
    from proxylab.training.evasion import EvadingVecEnv, adversary_of  # loads all detectors

    return EvadingVecEnv(*given, task=config.task, adversary=adversary_of(config))


def _cloning_options(config: TrainConfig) -> dict[str, Any]:
    """Arguments of behaviour cloning by a configuration, besides those of every algorithm."""
    assert config.bc is not None
    own = {n: getattr(config.ppo, n) for n in ("n_steps", "batch_size", "n_epochs")}
    own |= {n: getattr(config.ppo, n) for n in ("learning_rate", "max_grad_norm")}
    own["weight_decay"] = config.bc.weight_decay
    return own | {"demonstrations": demonstrations_of(config)}


def linear_schedule(start: float) -> Callable[[float], float]:
    """A linear schedule for SB3: from ``start`` to 0."""
    return lambda remaining: start * remaining


def _restore(folder: Path, config: TrainConfig, model: Any, callback: TrainingCallback) -> int:
    """Load the checkpoint, if any; returns the number of remaining environment steps."""
    path = folder / store.CHECKPOINT
    if path.is_file():
        callback.restore(load_checkpoint(path, model, config.fingerprint))
    return config.total_timesteps - model.num_timesteps


def _record(config: TrainConfig) -> dict[str, Any]:
    """``run.json`` without its result."""
    revision, dirty = commit()
    return {
        "schema": "proxylab.run/1",
        "task": config.task,
        "role": config.role,
        "seed": config.seed,
        "fingerprint": config.fingerprint,
        "command": " ".join(["proxylab", *sys.argv[1:]]),
        "commit": revision,
        "dirty": dirty,
        "versions": versions(),
        "machine": machine(),
        "threads": config.threads,
        "device": config.device,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _finish(
    folder: Path,
    config: TrainConfig,
    model: Any,
    callback: TrainingCallback,
    record: Mapping[str, Any],
) -> TrainResult:
    """Final evaluation; write the agent's files, ``run.json``, and ``complete`` at the very end."""
    iid_success = callback.examiner.confirm(model.policy)
    save_trained(folder, config, model)
    store.write_table(callback.rows, folder / store.METRICS)
    seconds = callback.seconds()
    result = TrainResult(
        task=config.task,
        role=config.role,
        seed=config.seed,
        run=str(folder),
        timesteps=model.num_timesteps,
        seconds=seconds,
        steps_per_second=model.num_timesteps / seconds,
        seconds_to_competence=callback.seconds_to_competence,
        iid_success=iid_success,
    )
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    facts = {"timesteps": result.timesteps, "iid_success": iid_success, "ended": ended}
    complete = {**record, **facts, "status": "complete", "result": result.as_json()}
    store.write_json(folder / store.RUN, complete)
    with store.whole_file(folder / store.COMPLETE):
        pass
    (folder / store.CHECKPOINT).unlink(missing_ok=True)
    return result
