"""Guarded episodes as a log: what was done, who acted at every step, and why."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.guard.episodes import ACTORS, NOBODY, Guard, GuardedPolicy
from proxylab.logs import write_log
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.rollout import Policy, rollout
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import NEITHER


class GuardedLog(NamedTuple):
    """Episodes of a guarded policy, T steps in total, and further columns of these steps.

    Attributes:
        episodes: :class:`~proxylab.rollouts.episodes.Episodes`, under the name of the policy that
            is watched; probabilities are those of whoever acted. An episode that was stopped ends
            with the action that was not taken.
        columns: {name: array[T]}: ``guard_actor``, one of
            :data:`~proxylab.guard.episodes.ACTORS`; ``guard_trigger``; ``guard_score``, NaN where
            the trigger was not asked; ``guard_threshold``.
    """

    episodes: Episodes
    columns: dict[str, NDArray[Any]]


class Recorder:
    """A guarded policy that keeps (environment, actor, score) of every step."""

    def __init__(self, guarded: GuardedPolicy) -> None:
        """Play ``guarded``, which has to start with its batch."""
        self.guarded = guarded
        self.name, self.task = guarded.name, guarded.task
        self.uses_torch = guarded.uses_torch
        self.steps: list[tuple[NDArray[Any], ...]] = []

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] of whoever acts."""
        chosen = self.guarded.probabilities(env, indices)
        actor, score = self.guarded.actor[indices], self.guarded.score[indices]
        self.steps.append((indices, actor, score))
        env.core.outcomes[indices[actor == NOBODY]] = NEITHER  # a rollout needs one; it is not kept
        return chosen

    def in_order(self) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """(actor int8[T], score float64[T]), by environment and then by step."""
        env, actor, score = (np.concatenate(column) for column in zip(*self.steps, strict=True))
        order = np.argsort(env, kind="stable")
        return actor[order], score[order]


def guarded_log(
    policy: Policy,
    guard: Guard,
    env: BatchedEnv[Any],
    level_seeds: NDArray[np.int64],
    seed: int,
    task: str,
) -> GuardedLog:
    """Play one guarded episode on every level and keep its steps.

    The episodes are those of :func:`proxylab.guard.episodes.guarded_episodes`.

    Args:
        policy: the policy that is watched.
        guard: :class:`~proxylab.guard.episodes.Guard`.
        env: a ``BatchedEnv``; its state is overwritten.
        level_seeds: int64[E].
        seed: of the action draws.
        task: task name, stored in the episodes.
    """
    parts, actors, scores = [], [], []
    for first in range(0, len(level_seeds), env.num_envs):
        recorder = Recorder(GuardedPolicy(policy, guard, env.num_envs))
        part = level_seeds[first : first + env.num_envs]
        parts.append(rollout(recorder, env, part, task=task, seed=seed, first=first)[0])
        for columns, column in zip((actors, scores), recorder.in_order(), strict=True):
            columns.append(column)
    episodes, actor = concatenate(parts), np.concatenate(actors)
    if episodes.proxy_reward is not None:  # an action that was not taken earns nothing
        earned = np.where(actor == NOBODY, np.float32(0), episodes.proxy_reward)
        episodes = replace(episodes, proxy_reward=earned)
    columns = {
        "guard_actor": np.array(ACTORS)[actor],
        "guard_trigger": np.full(len(actor), guard.trigger.name),
        "guard_score": np.concatenate(scores),
        "guard_threshold": np.full(len(actor), guard.threshold),
    }
    return GuardedLog(episodes, columns)


def write_guarded(path: str | Path, logs: Sequence[GuardedLog]) -> None:
    """Write guarded episodes as one log, in the format of the path's ending."""
    further = {log.episodes.policy: log.columns for log in logs}
    write_log(path, [log.episodes for log in logs], further)
