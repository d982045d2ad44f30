"""What reference policies do on levels that become known one after another."""

import numpy as np

from proxylab.detection.pairing import restrict
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.rollout import rollout
from proxylab.screening.run import one_torch_thread
from proxylab.seeds import stream_seed

KEPT_LEVELS = 2000
"""Levels on which the episodes are kept."""


class ReferenceBank:
    """The reference policies' episodes on the levels that were asked for.

    Levels are numbered as they first come, and the number decides the action draws: whether
    episodes come one by one or all at once changes nothing.
    """

    def __init__(self, policies, rollouts):
        self.policies = policies
        self.rollouts = rollouts
        self.seed = stream_seed(rollouts.seed, "monitor")
        self.logs = [p for p in policies.values() if isinstance(p, Episodes)]
        self.count = 0
        self._clear()

    def _clear(self):
        self.levels, self.parts = np.empty(0, np.int64), {name: [] for name in self.policies}

    def playable(self, levels):
        """Those of ``levels`` on which every reference policy has been or can be run."""
        for log in self.logs:
            levels = np.intersect1d(levels, log.level_seed)
        return levels

    def on(self, levels):
        """Episodes of every reference policy, one on each of ``levels``: list[Episodes]."""
        wanted = np.unique(levels)
        if len(self.levels) > KEPT_LEVELS:
            self._clear()
        _, first = np.unique(levels, return_index=True)
        ordered = np.asarray(levels)[np.sort(first)]
        self._play(ordered[~np.isin(ordered, self.levels)])
        once = np.ones(len(wanted), np.int64)
        return [restrict(concatenate(parts), wanted, once) for parts in self.parts.values()]

    def _play(self, levels):
        if not len(levels):
            return
        with one_torch_thread():
            for name, policy in self.policies.items():
                self.parts[name].append(self._episodes(policy, levels))
                self.parts[name] = [concatenate(self.parts[name])]
        self.levels = np.append(self.levels, levels)
        self.count += len(levels)

    def _episodes(self, policy, levels):
        if isinstance(policy, Episodes):
            wanted = np.unique(levels)
            return restrict(policy, wanted, np.ones(len(wanted), np.int64))
        rollouts = self.rollouts
        how = {"task": rollouts.task, "seed": self.seed, "first": self.count}
        return rollout(policy, rollouts.env, levels, **how)[0]
