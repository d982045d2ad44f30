"""Seconds to competence of a task's presets, and steps per second compared with plain SB3."""

import tempfile
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from proxylab.bench.timing import REPEATS, Row, against, spread
from proxylab.errors import UsageError
from proxylab.tasks import TASKS

STEPS = 16_384
"""Training steps of one timed repeat: one rollout of plain SB3 with 8 environments."""

PLAIN_ENVS = 8
SHOWN = {"seconds_to_competence": "s", "seconds": "s", "iid_success": "share"}


def bench_training(task: str, seeds: int) -> list[Row]:
    """Rows of both roles, trained from scratch with every seed, and the rate against plain SB3."""
    from proxylab.training.train import train  # imports torch and SB3

    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}: choose {', '.join(TASKS)}")
    if seeds < 1:
        raise UsageError(f"seeds {seeds} is less than 1")
    rows = [_rate_row(task)]
    for role in TASKS[task].roles:
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                train(task, role, seed=seed, out=Path(folder) / str(seed)).as_json()
                for seed in range(seeds)
            ]
        for name, unit in SHOWN.items():
            what = f"{task} {role}: {name.replace('_', ' ')}, {seeds} seeds"
            rows.append(spread(what, unit, [run[name] for run in runs]))
    return rows


def _rate_row(task: str) -> Row:
    """Our preset's training steps per second against SB3's own PPO on a DummyVecEnv."""
    ours, plain = _ours(task), _plain(task)
    pairs = [(_steps_per_second(ours), _steps_per_second(plain)) for _ in range(REPEATS)]
    our_rate, plain_rate = np.median(pairs, axis=0)
    peer = "SB3 PPO with its defaults, MlpPolicy, DummyVecEnv of 8"
    return against(f"{task}: training steps", "steps/s", float(our_rate), peer, float(plain_rate))


def _ours(task: str) -> Any:
    from proxylab.training.train import make_config, make_model  # imports torch and SB3

    model = make_model(make_config(task))
    model.learn(model.n_steps * model.n_envs)
    return model


def _plain(task: str) -> Any:
    from stable_baselines3 import PPO  # slow to load
    from stable_baselines3.common.vec_env import DummyVecEnv  # slow to load

    env_id = TASKS[task].env_id
    envs = DummyVecEnv([lambda: gym.make(env_id) for _ in range(PLAIN_ENVS)])
    return PPO("MlpPolicy", envs, device="cpu", seed=0)


def _steps_per_second(model: Any) -> float:
    before, start = model.num_timesteps, time.perf_counter()
    model.learn(STEPS, reset_num_timesteps=False)
    return (model.num_timesteps - before) / (time.perf_counter() - start)
