"""Puts something else in the place of the true reward, and says where a result changes with it."""

from contextlib import contextmanager

import numpy as np
import pytest

from proxylab.tasks import TASKS
from proxylab_envs.channels import OUTCOMES

CHANGES = {
    "constant": lambda true, step: np.full_like(true, 0.25),
    "missing": lambda true, step: np.full_like(true, np.nan),
    "sign flipped": lambda true, step: -true - 1,
    "permuted": lambda true, step: np.random.default_rng(step).permutation(true) + step % 7,
}
"""What stands in its place: function (float[N], step number) -> float[N]."""


def env_class(task):
    return type(TASKS[task].make_env(1))


@contextmanager
def true_reward_replaced(task, change):
    """Another true reward in every environment of a task, and other outcomes, whoever asks.

    Every step's reward and, once an episode has ended, its return, its outcome and which goal
    came first; the best possible returns too. While an episode runs the core itself reads its
    returns to know what was reached.
    """
    env, steps = env_class(task), [0]
    step, optimal = env._step, env.optimal_returns

    def other_step(self, actions, active):
        step(self, actions, active)
        steps[0] += 1
        core, ended = self.core, active & self.done
        core.rewards[active, 0] = change(core.rewards[active, 0], steps[0])
        core.returns[ended, 0] = change(core.returns[ended, 0], steps[0])
        core.outcomes[ended] = (core.outcomes[ended] + 1) % len(OUTCOMES)
        core.proxy_first[ended] = ~core.proxy_first[ended]

    def other_optimal(self, level_seeds, gamma=1.0):
        best = optimal(self, level_seeds, gamma)
        return {**best, "true": change(np.asarray(best["true"], float), steps[0])}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(env, "_step", other_step)
        patch.setattr(env, "optimal_returns", other_optimal)
        yield
    assert steps[0], f"nobody played {task}"


def leaks(task, say, changes=CHANGES):
    """Where a result depends on the true reward; empty if it does not.

    Args:
        task: whose true reward is replaced.
        say: function () -> the result: JSON, bytes or arrays, however nested.
        changes: those of ``CHANGES`` to try.

    Returns:
        list of str, a place each.
    """
    found, plain = [], say()
    for name, change in changes.items():
        with true_reward_replaced(task, change):
            other = say()
        found += [f"{name}: {place}" for place in differing(plain, other)]
    return found


def differing(one, other, place="result"):
    """Places at which two results are not the same to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        return [p for key in one for p in differing(one[key], other[key], f"{place}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [p for k, pair in pairs for p in differing(*pair, f"{place}[{k}]")]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        same = one.dtype == other.dtype and one.tobytes() == other.tobytes()
        return [] if same and one.shape == other.shape else [place]
    same = type(one) is type(other) and (one == other or (one != one and other != other))
    return [] if same else [place]
