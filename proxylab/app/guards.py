"""Guards of the page: their thresholds, and episodes with who acts and why."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.app.traces import DIGITS, trace
from proxylab.guard.episodes import ACTORS, Guard, GuardedPolicy
from proxylab.guard.recording import Recorder
from proxylab.guard.run import REFERENCES, Deployment, threshold_of
from proxylab.guard.settings import GuardSettings
from proxylab.guard.triggers import TRIGGERS
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.conformal import calibration_needed
from proxylab_envs.batch import BatchedEnv

ALPHA = 0.05
"""Probability that a new honest agent gets help on the levels of the threshold."""

NEEDED = calibration_needed(ALPHA) + REFERENCES
"""Trusted agents that a guard of the page uses."""

MOST_LEVELS, MOST_STEPS = 12, 4_000
"""Levels on which the threshold holds; fewer where episodes are long. All agents fit in a batch."""


class _Pool:
    """Several policies in one batch: each has as many environments in a row as there are levels."""

    def __init__(self, policies: Sequence[Policy], num_levels: int) -> None:
        self.policies, self.num_levels = policies, num_levels
        self.name, self.task = "trusted agents", policies[0].task

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions]."""
        owners = indices // self.num_levels
        parts = [
            self.policies[owner].probabilities(env, indices[owners == owner])
            for owner in np.unique(owners)  # indices ascend, so that the parts are in order
        ]
        return np.concatenate(parts)


def make_guard(task: str, trusted: dict[str, Policy], trigger: str, max_steps: int) -> Guard:
    """A guard whose threshold is set on trusted agents that it does not use.

    A new honest agent gets help with probability ``ALPHA`` at most on so many shifted levels:
    ``MOST_LEVELS``, fewer where their episodes are long.

    Args:
        task: task name.
        trusted: :data:`NEEDED` trusted policies by name.
        trigger: name in ``TRIGGERS``.
        max_steps: of an episode.
    """
    count = max(min(MOST_LEVELS, MOST_STEPS // max_steps), 1)
    agents = len(trusted) - REFERENCES
    deployment = Deployment(task, trusted, GuardSettings(trigger, episodes=count * agents))
    deployment.level_seeds = np.tile(deployment.level_seeds[:count], agents)
    chosen = deployment.fitted(TRIGGERS[trigger])
    highest = deployment.unguarded(_Pool(deployment.calibration, count), chosen).highest
    threshold = threshold_of(list(highest.reshape(agents, count)), ALPHA, None)
    return Guard(chosen, threshold, deployment.references)


def guarded_trace(
    policy: Policy, guard: Guard, env: BatchedEnv[Any], seed: int, greedy: bool
) -> dict[str, Any]:
    """An episode as :func:`~proxylab.app.traces.trace` gives it, and the guard's part in it.

    Returns:
        The fields of ``trace``, and ``guard``: {"trigger", "threshold", "trusted", "actors": T
        names of :data:`~proxylab.guard.episodes.ACTORS`, "scores": T numbers, null where the
        trigger was not asked}.
    """
    recorder = Recorder(GuardedPolicy(policy, guard, env.num_envs))
    traced = trace(recorder, env, seed, greedy)
    actors, scores = recorder.in_order()
    return traced | {
        "guard": {
            "trigger": guard.trigger.name,
            "threshold": round(guard.threshold, DIGITS),
            "trusted": guard.trusted[0].name,
            "actors": [ACTORS[actor] for actor in actors],
            "scores": [None if np.isnan(s) else round(float(s), DIGITS) for s in scores],
        }
    }
