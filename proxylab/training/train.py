"""Train one agent: a configuration in, a finished run folder out.

The same configuration gives the same bytes, whether it ran through or was killed and
resumed. Everything about paths is in ``store``, everything about resuming in
``checkpoint``.
"""

import importlib.util
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import A2C, PPO

from proxylab.agents.format import AgentSpec, save_agent
from proxylab.config import TrainConfig, shifted_share
from proxylab.errors import UsageError
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.storage.provenance import commit, machine, versions
from proxylab.tasks import TASKS
from proxylab.training.callbacks import Evaluator, TrainingCallback
from proxylab.training.checkpoint import load_checkpoint
from proxylab.training.sb3_policy import agent_weights, load_weights, policy_arguments
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.train/1"


@dataclass(frozen=True)
class TrainResult:
    """What ``train --json`` prints.

    Attributes:
        task: name of the task.
        role: of the agent.
        seed: of the run.
        run: folder of the run.
        timesteps: environment steps.
        seconds: wall-clock time, compilation and checks included, summed over resumptions.
        steps_per_second: timesteps over seconds.
        seconds_to_competence: until the second of two successive checks on fixed held-out
            levels of the training kind (512; fewer in some tasks) with at least 95 %
            success; None if it never came.
        iid_success: share of success on fresh held-out levels of the training kind.
        skipped: the run was there already.
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

    def as_json(self):
        """The object that ``train --json`` prints."""
        return asdict(self)


def make_config(task, role="proxy", device="auto", **changes):
    """A :class:`TrainConfig` from a task's preset; ``UsageError`` for what cannot be.

    Args:
        task: name of the task.
        role: one of its roles.
        device: ``auto`` (the CPU: these networks are small), ``cpu`` or ``cuda``.
        changes: fields of TrainConfig, None for the preset's.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}: choose {', '.join(TASKS)}")
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {device!r}: choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device here: use --device cpu")
    changes["device"] = "cpu" if device == "auto" else device
    try:
        return TASKS[task].train_config(role, **changes)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def train(task, role="proxy", *, out=None, resume=False, force=False, bar=None, **changes):
    """Train an agent, or find it trained.

    Args:
        task: name of the task.
        role: ``proxy``, ``trusted`` or another role of the task.
        out: folder of the run; by default below ``results/runs``, by task, variant and seed.
        resume: go on from the checkpoint of an unfinished run.
        force: start anew whatever is in the folder.
        bar: shows progress (``watching.Bar``); none by default.
        changes: see :func:`make_config`.

    Returns:
        :class:`TrainResult`.

    Raises:
        UsageError: an impossible configuration, or a folder that holds another run.
        KeyboardInterrupt: after Ctrl-C, with the checkpoint written.
    """
    config = make_config(task, role, **changes)
    preset = TASKS[task].train_config(role)
    folder = Path(out) if out else store.run_folder(config, preset)
    return run_job(config, folder, resume=resume, force=force, bar=bar)


def run_job(config, folder, *, resume=False, force=False, bar=None, tensorboard=False):
    """Train what ``config`` says in ``folder``; a finished run is found, not trained again."""
    with store.only_writer(folder):
        return _run(config, Path(folder), resume, force, bar, tensorboard)


def _run(config, folder, resume, force, bar, tensorboard):
    start = time.perf_counter()
    if force:
        _empty(folder)
    if _found(folder, config, resume):
        (folder / store.CHECKPOINT).unlink(missing_ok=True)  # where a run died at its very end
        result: dict[str, Any] = store.read_json(folder / store.RUN)["result"]
        return TrainResult(**{**result, "run": str(folder), "skipped": True})  # ty: ignore[invalid-argument-type]
    store.write_json(folder / store.CONFIG, config.as_json())
    record = _record(config)
    store.write_json(folder / store.RUN, {**record, "status": "running"})
    model = make_model(config)
    if config.start_from is not None:
        load_weights(model.policy, config.start_from)
    if tensorboard:
        model.tensorboard_log = str(folder)
        _need_tensorboard()
    watcher = TrainingCallback(folder, config, Evaluator(config), start, bar)
    left = _restore(folder, config, model, watcher)
    if left > 0:
        model.learn(left, callback=watcher, reset_num_timesteps=not model.num_timesteps)
    return _finish(folder, config, model, watcher, record)


def _empty(folder):
    """Remove a run, its mark of completeness first: half of a run must not count as one.

    Raises:
        UsageError: the folder holds something that is no run.
    """
    there = {path.name: path for path in folder.iterdir()}
    if there and store.CONFIG not in there:
        raise UsageError(f"{folder} holds something else: choose another --out")
    for name in sorted(there, key=lambda name: (name != store.COMPLETE, name == store.CONFIG)):
        shutil.rmtree(there[name]) if there[name].is_dir() else there[name].unlink()


def _need_tensorboard():
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError('TensorBoard is missing: pip install "proxylab[tensorboard]"')


def _found(folder, config, resume):
    """Whether the run is complete; ``UsageError`` if something else is in the way."""
    if not (folder / store.CONFIG).is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder} holds something else: choose another --out")
        return False
    theirs = store.read_json(folder / store.CONFIG)
    if theirs != json.loads(json.dumps(config.as_json())):
        raise UsageError(f"{folder} holds a run with other settings: --force replaces it")
    if store.is_complete(folder):
        return True
    if (folder / store.CHECKPOINT).is_file() and not resume:
        raise UsageError(f"{folder} is unfinished: --resume goes on, --force starts anew")
    return False


def make_model(config):
    """The SB3 algorithm of a configuration, over its environment, freshly seeded."""
    torch.set_num_threads(config.threads)
    levels = Levels("train", shifted_share(config.levels), config.num_levels)
    env = BatchedVecEnv(
        TASKS[config.task].make_env(config.num_envs, **config.env),
        levels,
        config.reward,
        stream_seed(config.seed, "training levels"),
        config.reward_scale,
    )
    common: dict[str, Any] = {
        "env": env,
        "learning_rate": linear_schedule(config.ppo.learning_rate),
        "seed": stream_seed(config.seed, "training") % 2**32,
        "device": config.device,
        **policy_arguments(config),
    }
    names = ("n_steps", "gamma", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    common |= {name: getattr(config.ppo, name) for name in names}
    if config.algorithm == "a2c":
        return A2C(**common, use_rms_prop=False)
    own = {name: getattr(config.ppo, name) for name in ("batch_size", "n_epochs", "clip_range")}
    return PPO(**common, **own)


def linear_schedule(start):
    """SB3's schedule: ``start`` at the beginning, 0 at the end."""
    return lambda remaining: start * remaining


def _restore(folder, config, model, watcher):
    """Load the checkpoint if there is one; the environment steps that are left."""
    path = folder / store.CHECKPOINT
    if path.is_file():
        watcher.restore(load_checkpoint(path, model, config.fingerprint))
    return config.total_timesteps - model.num_timesteps


def _record(config):
    """``run.json`` without its result."""
    found, dirty = commit()
    return {
        "schema": "proxylab.run/1",
        "task": config.task,
        "role": config.role,
        "seed": config.seed,
        "fingerprint": config.fingerprint,
        "command": " ".join(["proxylab", *sys.argv[1:]]),
        "commit": found,
        "dirty": dirty,
        "versions": versions(),
        "machine": machine(),
        "threads": config.threads,
        "device": config.device,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _finish(folder, config, model, watcher, record):
    """The last check, the agent's files, ``run.json``, and ``complete`` at the very end."""
    iid_success = watcher.examiner.confirm(model.policy)
    save_agent(folder, _spec(config, model), agent_weights(model.policy))
    store.write_table(watcher.rows, folder / store.METRICS)
    seconds = watcher.seconds()
    result = TrainResult(
        task=config.task,
        role=config.role,
        seed=config.seed,
        run=str(folder),
        timesteps=model.num_timesteps,
        seconds=seconds,
        steps_per_second=model.num_timesteps / seconds,
        seconds_to_competence=watcher.seconds_to_competence,
        iid_success=iid_success,
    )
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    facts = {"timesteps": result.timesteps, "iid_success": iid_success, "ended": ended}
    record = {**record, **facts, "status": "complete", "result": result.as_json()}
    store.write_json(folder / store.RUN, record)
    with store.whole_file(folder / store.COMPLETE):
        pass
    (folder / store.CHECKPOINT).unlink(missing_ok=True)
    return result


def _spec(config: TrainConfig, model):
    space = model.observation_space
    return AgentSpec(
        name=f"{config.task}/{config.role}/seed-{config.seed}",
        task=config.task,
        role=config.role,
        architecture=config.architecture,
        sizes=config.sizes,
        observation_shape=tuple(space.shape),
        observation_dtype=space.dtype.name,
        num_actions=int(model.action_space.n),
        training={
            "seed": config.seed,
            "timesteps": model.num_timesteps,
            "reward": config.reward,
            "levels": config.levels,
            "env": config.env,
            "algorithm": config.algorithm,
            "fingerprint": config.fingerprint,
        },
    )
