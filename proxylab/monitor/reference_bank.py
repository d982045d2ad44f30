"""Episodes of the reference policies on levels that become known one after another."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import restrict
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.screening.paired import PairedRollouts
from proxylab.seeds import stream_seed

KEPT_LEVELS = 2000
"""Number of levels above which the stored episodes are dropped."""


class ReferenceBank:
    """The reference policies' episodes on the requested levels.

    Levels are numbered in the order of their first request, and the number determines the
    action draws: the result does not depend on how requests are batched.

    Attributes:
        policies: {name: policy or Episodes}.
        rollouts: the environment and the task.
        levels: int64[L], the levels played so far.
        parts: {name: list of Episodes} on these levels.
        count: number of levels ever played.
    """

    def __init__(self, policies: Mapping[str, Policy | Episodes], rollouts: PairedRollouts) -> None:
        """Start without episodes."""
        self.policies = policies
        self.rollouts = rollouts
        self.seed = stream_seed(rollouts.seed, "monitor")
        self.logs = [p for p in policies.values() if isinstance(p, Episodes)]
        self.count = 0
        self._clear()

    def _clear(self) -> None:
        self.levels: NDArray[np.int64] = np.empty(0, np.int64)
        self.parts: dict[str, list[Episodes]] = {name: [] for name in self.policies}

    def playable(self, levels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``levels`` (int64[N]) on which every reference policy has been or can be run."""
        for log in self.logs:
            levels = np.intersect1d(levels, log.level_seed)
        return levels

    def on(self, levels: NDArray[np.int64]) -> list[Episodes]:
        """Episodes of every reference policy, one on each of ``levels`` (int64[N])."""
        unique = np.unique(levels)
        if len(self.levels) > KEPT_LEVELS:
            self._clear()
        _, first = np.unique(levels, return_index=True)
        ordered = np.asarray(levels)[np.sort(first)]
        self._play(ordered[~np.isin(ordered, self.levels)])
        once = np.ones(len(unique), np.int64)
        return [restrict(concatenate(parts), unique, once) for parts in self.parts.values()]

    def _play(self, levels: NDArray[np.int64]) -> None:
        if not len(levels):
            return
        for name, policy in self.policies.items():
            self.parts[name].append(self._episodes(policy, levels))
            self.parts[name] = [concatenate(self.parts[name])]
        self.levels = np.append(self.levels, levels)
        self.count += len(levels)

    def _episodes(self, policy: Policy | Episodes, levels: NDArray[np.int64]) -> Episodes:
        if isinstance(policy, Episodes):
            unique = np.unique(levels)
            return restrict(policy, unique, np.ones(len(unique), np.int64))
        env, task = self.rollouts.env, self.rollouts.task
        if env is None:
            raise UsageError(f"no environment of the task {task} to run {policy.name} in")
        return rollout(policy, env, levels, task=task, seed=self.seed, first=self.count)[0]
