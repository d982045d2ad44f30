"""``bench guard``: steps per second of guarded episodes beside those of plain rollouts.

The guard watches every step and never acts, so all play the same steps. Each trigger is
measured in turn with the plain rollout; the ratio is the median over the rounds.
"""

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from proxylab.agents.references import load_agent
from proxylab.bench.timing import Row
from proxylab.guard.episodes import Guard
from proxylab.guard.run import Deployment, GuardSettings
from proxylab.guard.triggers import TRIGGERS
from proxylab.rollouts.rollout import Policy, rollout

TASK = "maze-corner"
WATCHED = "honest-00"
LEVELS, ROUNDS = 256, 5
AIM = 0.9
"""Least ratio of steps per second, with over without the guard."""


def bench_guard(levels: int = LEVELS, rounds: int = ROUNDS) -> list[Row]:
    """Rows of the plain rollout, of every trigger, and their ratios.

    Args:
        levels: episodes of a measurement.
        rounds: measurements of each, after one that does not count.
    """
    names = [f"zoo:{TASK}/trusted-{k:02d}" for k in range(4)]
    trusted: dict[str, Policy] = {name: load_agent(name) for name in names}
    deployment = Deployment(TASK, trusted, GuardSettings(episodes=levels))
    watched = load_agent(f"zoo:{TASK}/{WATCHED}")

    def plain() -> int:
        episodes, _ = rollout(watched, deployment.env, deployment.level_seeds, task=TASK, seed=1)
        return episodes.num_steps

    steps = plain()
    rows, rates = [], []
    for name, trigger in TRIGGERS.items():
        guard = Guard(deployment.fitted(trigger), math.inf, deployment.references)
        ratio, rate, guarded = _paired(plain, lambda g=guard: deployment.play(watched, g), rounds)
        rates.append(steps / rate)
        outcome = "met" if ratio >= AIM else "missed"
        shown = f"at least {AIM:g} of plain"
        rows.append(Row(f"guarded, {name}", steps / guarded, "steps/s"))
        rows.append(Row(f"{name}, guarded over plain", ratio, "", aim=shown, outcome=outcome))
    return [Row("plain rollout", median(rates), "steps/s"), *rows]


def _paired(
    first: Callable[[], Any], second: Callable[[], Any], rounds: int
) -> tuple[float, float, float]:
    """(median ratio of the times first / second, median seconds of each), measured in turn."""
    pairs = [(_seconds(first), _seconds(second)) for _ in range(rounds + 1)][1:]
    ones, others = zip(*pairs, strict=True)
    return median(a / b for a, b in pairs), median(ones), median(others)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
