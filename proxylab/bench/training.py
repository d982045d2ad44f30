"""Seconds to competence of a task's presets, and steps per second compared with plain SB3."""

import itertools
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from proxylab.storage import store
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

LIMIT = 600
"""Seconds after which a run is stopped."""

ADMITTED = "seconds to the task's bound"
"""Until the success on held-out levels is at least the task's ``admitted_from``."""

SHOWN = {
    "seconds to competence": "s",
    ADMITTED: "s",
    "seconds": "s",
    "processor seconds": "s",
    "held-out success": "share",
    "shifted levels: intended goal": "share",
    "shifted levels: proxy goal first": "share",
    "shifted levels: incidental rate": "share",
}


class TimeIsUp(Exception):
    """A run has taken longer than the limit."""


class Stopwatch:
    """In place of the bar of a run: keeps its evaluations, and stops it after ``limit`` seconds.

    Attributes:
        rows: the evaluations so far.
    """

    def __init__(self, limit: float) -> None:
        """Start now."""
        self.end, self.rows = time.perf_counter() + limit, list[Mapping[str, Any]]()

    def show(self, timesteps: int, row: Mapping[str, Any] | None, recent: float | None) -> None:
        """Keep a new evaluation; :class:`TimeIsUp` after the limit."""
        if row is not None and row not in self.rows:
            self.rows.append(row)
        if time.perf_counter() >= self.end:
            raise TimeIsUp


def seconds_to(success: float, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds of the second of two successive evaluations with that success; None without."""
    pairs = itertools.pairwise(rows)
    reached = (b["seconds"] for a, b in pairs if min(a["success"], b["success"]) >= success)
    return next(reached, None)


def bench_training(task: str, seeds: int, limit: float = LIMIT) -> list[Row]:
    """Rows of all pipelines and roles, trained with every seed, and the rate against plain SB3.

    A run that takes longer than ``limit`` seconds is stopped and counted as one that has not
    reached what it had not reached by then.
    """
    known_task(task)
    if seeds < 1 or not limit > 0:
        raise UsageError(f"seeds {seeds} or limit {limit:g} is not positive")
    rows = [_rate_row(task)]
    for role in TASKS[task].roles:
        for name, stages in PIPELINES.items():
            with tempfile.TemporaryDirectory() as folder:
                runs = [_trained(task, role, stages, k, Path(folder), limit) for k in range(seeds)]
            rows += _rows(f"{task} {role}, {name}", runs)
    return rows


def _rows(group: str, runs: list[dict[str, float | None]]) -> Iterator[Row]:
    """Median and range of each figure."""
    for name, unit in SHOWN.items():
        if any(name in run for run in runs):
            values = [run.get(name) for run in runs]
            yield spread(f"{group}: {name}, {len(runs)} seeds", unit, values)


def _trained(
    task: str, role: str, stages: Sequence[Stage], seed: int, folder: Path, limit: float
) -> dict[str, float | None]:
    """Figures of one agent; times are summed over the stages before the last."""
    from proxylab.training.train import train  # imports torch and SB3

    before, cpu, start_from, rows = 0.0, time.process_time(), None, []
    for number, options in enumerate(stages):
        watch: Any = Stopwatch(limit - before)
        chosen: dict[str, Any] = {"start_from": start_from, "bar": watch, **options(task, role)}
        handler = signal.getsignal(signal.SIGINT)
        try:
            result = train(task, role, seed=seed, out=folder / f"{seed}-{number}", **chosen)
        except TimeIsUp:
            signal.signal(signal.SIGINT, handler)  # the run was to put it back
            rows = watch.rows if number == len(stages) - 1 else []
            return _competence(task, before, rows)
        start_from, spent = result.run, before + result.seconds
        rows = store.read_table(Path(result.run) / store.METRICS)
        figures = _competence(task, before, rows) | {"held-out success": result.iid_success}
        before = spent
    assert start_from is not None  # every pipeline has a stage
    cpu = time.process_time() - cpu
    figures |= {"seconds": before, "processor seconds": cpu}
    return {**figures, **_shifted(task, start_from)}


def _competence(
    task: str, before: float, rows: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Seconds to both criteria, where ``before`` were spent before the evaluations ``rows``."""
    from proxylab.training.callbacks import SUCCESS_THRESHOLD  # imports SB3

    bounds = {"seconds to competence": SUCCESS_THRESHOLD, ADMITTED: TASKS[task].admitted_from}
    found = {name: seconds_to(bound, rows) for name, bound in bounds.items()}
    return {name: None if s is None else before + s for name, s in found.items()}


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
    pairs = [(steps_per_second(ours), steps_per_second(plain)) for _ in range(REPEATS)]
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


def steps_per_second(model: Any) -> float:
    """Rate of the next ``STEPS`` training steps of an SB3 algorithm."""
    before, start = model.num_timesteps, time.perf_counter()
    model.learn(STEPS, reset_num_timesteps=False)
    return (model.num_timesteps - before) / (time.perf_counter() - start)
