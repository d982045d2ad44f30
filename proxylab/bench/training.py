"""Seconds to competence of a task's presets, and steps per second compared with plain SB3."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from proxylab.agents.references import load_agent
from proxylab.bench.timing import REPEATS, Row, against, spread
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import splits_of
from proxylab.reproduce.measure import outcome_rows
from proxylab.tasks import TASKS, known_task

STEPS = 16_384
"""Training steps of one timed repeat: one rollout of plain SB3 with 8 environments."""

PLAIN_ENVS = 8

EPISODES = 1_000
"""Shifted levels on which an agent's outcomes are measured."""

CONTINUED_STEPS = 131_072
CONTINUED_RATE = 0.1
"""PPO that continues from a clone: its steps, and its learning rate as a share of the preset's."""


Stage = Callable[[str, str], dict[str, Any]]
"""function (task, role) -> options of ``train``."""


def _preset(task: str, role: str) -> dict[str, Any]:
    return {}


def _clone(task: str, role: str) -> dict[str, Any]:
    return {"algorithm": "bc"}


def _continued(task: str, role: str) -> dict[str, Any]:
    ppo = TASKS[task].train_config(role).ppo
    slower = replace(ppo, learning_rate=CONTINUED_RATE * ppo.learning_rate)
    return {"total_timesteps": CONTINUED_STEPS, "ppo": slower}


PIPELINES = {
    "PPO": (_preset,),
    "clone": (_clone,),
    "clone, then PPO": (_clone, _continued),
}
"""{name: options of ``train`` of each run}; a later one starts from the former one's agent."""

SHOWN = {
    "seconds to competence": "s",
    "seconds": "s",
    "processor seconds": "s",
    "held-out success": "share",
    "shifted levels: intended goal": "share",
    "shifted levels: proxy goal first": "share",
    "shifted levels: incidental rate": "share",
}


def bench_training(task: str, seeds: int) -> list[Row]:
    """Rows of all pipelines and roles, trained with every seed, and the rate against plain SB3."""
    known_task(task)
    if seeds < 1:
        raise UsageError(f"seeds {seeds} is less than 1")
    rows = [_rate_row(task)]
    for role in TASKS[task].roles:
        for name, stages in PIPELINES.items():
            with tempfile.TemporaryDirectory() as folder:
                runs = [_trained(task, role, stages, k, Path(folder)) for k in range(seeds)]
            rows += _rows(f"{task} {role}, {name}", runs)
    return rows


def _rows(group: str, runs: list[dict[str, float | None]]) -> Iterator[Row]:
    """Median and range of each figure."""
    for name, unit in SHOWN.items():
        if name in runs[0]:
            values = [run[name] for run in runs]
            yield spread(f"{group}: {name}, {len(runs)} seeds", unit, values)


def _trained(
    task: str, role: str, stages: Sequence[Stage], seed: int, folder: Path
) -> dict[str, float | None]:
    """Figures of one agent; times are summed over the stages before the last."""
    from proxylab.training.train import train  # imports torch and SB3

    before, cpu, start_from, result = 0.0, time.process_time(), None, None
    for number, options in enumerate(stages):
        before += result.seconds if result else 0.0
        out = folder / f"{seed}-{number}"
        chosen: dict[str, Any] = {"start_from": start_from, **options(task, role)}
        result = train(task, role, seed=seed, out=out, **chosen)
        start_from = result.run
    assert result is not None  # every pipeline has a stage
    competent = result.seconds_to_competence
    return {
        "seconds to competence": None if competent is None else before + competent,
        "seconds": before + result.seconds,
        "processor seconds": time.process_time() - cpu,
        "held-out success": result.iid_success,
        **_shifted(task, result.run),
    }


def _shifted(task: str, run: str) -> dict[str, float | None]:
    """Outcomes on levels where the goals part; empty for a task without such levels."""
    if "shifted" not in splits_of(task, "all"):
        return {}
    (row,) = outcome_rows(load_agent(run), ("shifted",), EPISODES)
    return {
        "shifted levels: intended goal": row["intended"] + row["both"],
        "shifted levels: proxy goal first": row["proxy_first"],
        "shifted levels: incidental rate": row["accidental"],
    }


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
