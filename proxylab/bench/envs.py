"""Steps and levels per second of the batched cores, compared with single-environment loops."""

import importlib.util
import time
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from proxylab.bench.timing import REPEATS, Row, against, rate
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels
from proxylab_envs.registry import ENVS, make_batched

NUM_ENVS = 256
STEPS = 64
"""Steps of every environment in one measured call."""

FORMER = ("proxylab/MazeCorner-v0",)
HARDER = (("proxylab/MazeCorner-v1", {"size": 13}), ("proxylab/ProcgenMaze-v0", {"mode": "hard"}))
SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((env_id, {}) for env_id in ENVS if env_id not in FORMER),
    *HARDER,
)
"""(id, env_kwargs) of each measured environment; the first is compared with Minigrid."""


def bench_envs() -> list[Row]:
    """Every core against a plain Gymnasium loop over the same environment, and Minigrid."""
    minigrid = minigrid_rate()
    rows = []
    for env_id, env_kwargs in SETTINGS:
        rows += _env_rows(env_id, env_kwargs)
    if minigrid:
        best = rows[1]
        rows.append(against(best.what, best.unit, best.value, "minigrid FourRooms", minigrid))
    return rows


def _env_rows(env_id: str, env_kwargs: Mapping[str, Any]) -> list[Row]:
    env = make_batched(env_id, NUM_ENVS, **env_kwargs)
    env.seed_levels(Levels("train"), 0)
    env.reset()
    num_actions = int(env.single_action_space.n)
    actions = np.random.default_rng(0).integers(0, num_actions, (STEPS, NUM_ENVS))
    name = " ".join([env_id, *(f"{key}={value}" for key, value in env_kwargs.items())])
    loop = gymnasium_rate(env_id, env_kwargs)
    rates = {
        "steps alone": step_rate(env, actions),
        "steps and fresh levels, in place": rate(lambda: _play(env, actions, False), actions.size),
        "steps and fresh levels, copied": rate(lambda: _play(env, actions, True), actions.size),
    }
    rows = [
        against(f"{name}: {what}", "steps/s", value, "plain Gymnasium loop", loop)
        for what, value in rates.items()
    ]
    seeds = env.sample_level_seeds(Levels("train"), NUM_ENVS, 0)
    every = np.arange(NUM_ENVS)
    starts = rate(lambda: env.reset_levels(seeds, every), NUM_ENVS)
    solved = rate(lambda: env.optimal_returns(seeds), NUM_ENVS)
    rows.append(Row(f"{name}: fresh levels", starts, "levels/s"))
    return [*rows, Row(f"{name}: optimal returns", solved, "levels/s")]


def step_rate(env: BatchedEnv, actions: NDArray[np.int64]) -> float:
    """Steps per second without resets; steps of environments that are done do not count."""
    state = env.snapshot()
    rates = []
    for _ in range(REPEATS + 1):
        steps, seconds = 0, 0.0
        for _ in range(100):
            env.restore(state)
            before, start = env.core.steps.sum(), time.perf_counter()
            for row in actions[:16]:
                env.step(row)
            seconds += time.perf_counter() - start
            steps += env.core.steps.sum() - before
        rates.append(steps / seconds)
    env.restore(state)
    return float(np.median(rates[1:]))


def _play(env: BatchedEnv, actions: NDArray[np.int64], copy: bool) -> None:
    """A step for each row of ``actions`` (int64[STEPS, NUM_ENVS]), with resets."""
    for row in actions:
        env.step(row)
        env.reset_done()
        if copy:
            env.observe().copy()


def gymnasium_rate(env_id: str, env_kwargs: Mapping[str, Any]) -> float:
    """Steps per second of one environment in a Python loop."""
    env = gym.make(env_id, **env_kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(500)]

    def play() -> None:
        for action in actions:
            *_, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return rate(play, len(actions))


def minigrid_rate() -> float | None:
    """Steps per second of 16 Minigrid FourRooms in a SyncVectorEnv, or None."""
    if importlib.util.find_spec("minigrid") is None:
        return None
    import minigrid  # noqa: F401 (registers its ids)

    envs = gym.make_vec("MiniGrid-FourRooms-v0", num_envs=16, vectorization_mode="sync")
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 3, (50, 16))
    steps_per_second = rate(lambda: [envs.step(row) for row in actions], actions.size)
    envs.close()
    return steps_per_second
