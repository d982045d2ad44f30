"""What triggers say of whole episodes of a policy that nobody helps."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.guard.episodes import step_of
from proxylab.guard.triggers import Trigger
from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab_envs.batch import BatchedEnv

START, MEAN, HIGHEST = "start", "mean", "highest"
SUMMARIES = (START, MEAN, HIGHEST)
"""Score of an episode: that of its first step, the mean over its steps, the greatest one."""


class Watched(NamedTuple):
    """E episodes, watched by several triggers.

    Attributes:
        level_seed: int64[E].
        outcome: int8[E], index into ``proxylab_envs.channels.OUTCOMES``.
        length: int64[E], steps.
        scores: {(trigger, summary): float64[E]}, the summaries of :data:`SUMMARIES`; of a trigger
            that adds up, ``highest`` is the greatest sum so far.
    """

    level_seed: NDArray[np.int64]
    outcome: NDArray[np.int8]
    length: NDArray[np.int64]
    scores: dict[tuple[str, str], NDArray[np.float64]]


class _WatchedPolicy:
    """A policy whose every step is scored by T triggers, in N environments started together."""

    def __init__(
        self, policy: Policy, triggers: Sequence[Trigger], trusted: Sequence[Policy], num_envs: int
    ) -> None:
        self.policy, self.triggers, self.trusted = policy, triggers, trusted
        self.name, self.task = policy.name, policy.task
        self.uses_torch = any(getattr(p, "uses_torch", False) for p in (policy, *trusted))
        shape = (len(triggers), num_envs)
        self.start, self.summed = np.zeros(shape), np.zeros(shape)
        self.highest = np.full(shape, -np.inf)

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] of the policy itself."""
        own = self.policy.probabilities(env, indices)
        step = step_of(self.triggers, self.trusted, env, indices, own)
        first = step.number == 0
        for k, trigger in enumerate(self.triggers):
            score = trigger.score(step)
            self.start[k, indices[first]] = score[first]
            self.summed[k, indices] += score
            so_far = self.summed[k, indices] if trigger.adds_up else score
            self.highest[k, indices] = np.maximum(self.highest[k, indices], so_far)
        return own


def watched_episodes(
    policy: Policy,
    triggers: Mapping[str, Trigger],
    trusted: Sequence[Policy],
    env: BatchedEnv[Any],
    level_seeds: NDArray[np.int64],
    seed: int,
) -> Watched:
    """Play one episode on every level and score all its steps.

    Args:
        policy: the policy that is watched; it acts as in a plain rollout with the same seed.
        triggers: {name: :class:`~proxylab.guard.triggers.Trigger`}, ready for use.
        trusted: the trusted policies that they compare with.
        env: a ``BatchedEnv``; its state is overwritten.
        level_seeds: int64[E].
        seed: of the action draws.
    """
    outcomes, lengths, scores = [], [], []
    for first in range(0, len(level_seeds), env.num_envs):
        part = level_seeds[first : first + env.num_envs]
        count = len(part)
        env.core.truncated[:] = True
        env.reset_levels(part, np.arange(count))
        watched = _WatchedPolicy(policy, list(triggers.values()), trusted, env.num_envs)
        for _ in run_to_end(watched, env, seed=seed, first=first):
            pass
        outcomes.append(env.core.outcomes[:count].copy())
        lengths.append(env.core.steps[:count].astype(np.int64))
        means = watched.summed[:, :count] / lengths[-1]
        scores.append(np.stack([watched.start[:, :count], means, watched.highest[:, :count]]))
    every = np.concatenate(scores, axis=2)
    named = {
        (name, summary): every[s, k]
        for s, summary in enumerate(SUMMARIES)
        for k, name in enumerate(triggers)
    }
    return Watched(level_seeds, np.concatenate(outcomes), np.concatenate(lengths), named)
