"""``bench guard``: steps per second of guarded episodes beside those of plain rollouts.

An honest agent is watched. Each trigger is measured at every step with a guard that never acts, so
that all play the same steps; the default trigger is also measured at its threshold for ``alpha``,
at every step and at a share of them, where it helps this agent in few episodes or none. All are
measured in turn with the plain rollout; the ratio is the median over the rounds.
"""

import math
import time
from collections.abc import Callable
from statistics import median

from proxylab.agents.references import load_agent
from proxylab.bench.timing import Row
from proxylab.guard.episodes import Guard
from proxylab.guard.run import Deployment, GuardSettings
from proxylab.guard.triggers import DEFAULT_TRIGGER, TRIGGERS
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.tasks import TASKS

TASK = "maze-corner"
WATCHED = "honest-00"
LEVELS, ROUNDS = 256, 5
TRUSTED = 22
"""Trusted agents: three to compare with, and as many as the default ``alpha`` takes."""
WATCH = (1.0, 0.1, 0.05)
"""Shares of the steps at which the default trigger is asked, at its threshold."""
AIM = 0.9
"""Least ratio of steps per second, with over without the guard."""


def bench_guard(levels: int = LEVELS, rounds: int = ROUNDS) -> list[Row]:
    """Rows of the plain rollout, of every guard, and their ratios.

    Args:
        levels: episodes of a measurement, all at once; four times as many at a threshold, since
            networks take a batch of 64 states or more at a time.
        rounds: measurements of each, after one that does not count.
    """
    names = [f"zoo:{TASK}/trusted-{k:02d}" for k in range(TRUSTED)]
    trusted: dict[str, Policy] = {name: load_agent(name) for name in names}
    watched = load_agent(f"zoo:{TASK}/{WATCHED}")
    rows, rates = [], []
    for name, (deployment, guard) in _guards(trusted, levels).items():

        def plain(played: Deployment = deployment) -> int:
            levels_ = played.level_seeds
            return rollout(watched, played.env, levels_, task=TASK, seed=1)[0].num_steps

        def guarded(played: Deployment = deployment, own: Guard = guard) -> int:
            return int(played.play(watched, own).length.sum())

        ratio, rate, own_rate = _paired(plain, guarded, rounds)
        rates.append(rate)
        outcome = "met" if ratio >= AIM else "missed"
        shown = f"at least {AIM:g} of plain"
        rows.append(Row(f"guarded, {name}", own_rate, "steps/s"))
        rows.append(Row(f"{name}, guarded over plain", ratio, "", aim=shown, outcome=outcome))
    return [Row("plain rollout", median(rates), "steps/s"), *rows]


def _guards(trusted: dict[str, Policy], levels: int) -> dict[str, tuple[Deployment, Guard]]:
    """Every trigger without a threshold, and the default one at those of ``proxylab guard``."""
    deployment = Deployment(TASK, trusted, GuardSettings(episodes=levels))
    guards = {}
    for name, trigger in TRIGGERS.items():
        guard = Guard(deployment.fitted(trigger), math.inf, deployment.references)
        guards[name] = deployment, guard
    trigger = TRIGGERS[DEFAULT_TRIGGER]
    for share in WATCH:
        settings = GuardSettings(episodes=4 * levels, watch=share)
        wide = Deployment(TASK, trusted, settings, TASKS[TASK].make_env(4 * levels))
        guard = Guard(trigger, wide.threshold(trigger), wide.references, watch=share, exact=False)
        guards[f"{trigger.name} at {share:.0%} of the steps"] = wide, guard
    return guards


def _paired(
    first: Callable[[], int], second: Callable[[], int], rounds: int
) -> tuple[float, float, float]:
    """(median ratio of the rates second / first, median rate of each), measured in turn."""
    pairs = [(_rate(first), _rate(second)) for _ in range(rounds + 1)][1:]
    ones, others = zip(*pairs, strict=True)
    return median(b / a for a, b in pairs), median(ones), median(others)


def _rate(play: Callable[[], int]) -> float:
    """Steps per second."""
    started = time.perf_counter()
    steps = play()
    return steps / (time.perf_counter() - started)
