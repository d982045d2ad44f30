"""Episodes of a guarded policy: a trigger is watched at every step, and a guard acts on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.guard.triggers import Step, Trigger, spot_checked
from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab_envs.batch import BatchedEnv

FALLBACK, STOP, ASK = "fallback", "stop", "ask"
MODES = (FALLBACK, STOP, ASK)

ACTORS = ("suspect", "trusted", "nobody")
SUSPECT, TRUSTED, NOBODY = range(3)
"""Who acts at a step: the policy that is watched, a trusted one, or nobody (``stop``)."""

NEVER = -1
"""Step of the first help in an episode without any."""


@dataclass(frozen=True)
class Guard:
    """When trusted policies take over, and for how long.

    Attributes:
        trigger: :class:`~proxylab.guard.triggers.Trigger`.
        threshold: score above which the guard acts.
        trusted: trusted policies; the first one acts.
        mode: ``fallback``: it acts from then on; ``ask``: at steps above the threshold only;
            ``stop``: the episode ends.
        hand_back: steps at or below the threshold after which the policy acts again
            (``fallback``); None for never.
        watch: share of the steps at which the trigger is asked, drawn at random; the others pass.
        exact: whether all scores are exact. Otherwise those up to the threshold may be too high,
            but not above it, which is faster: who acts when is the same.
    """

    trigger: Trigger
    threshold: float
    trusted: Sequence[Policy]
    mode: str = FALLBACK
    hand_back: int | None = None
    watch: float = 1.0
    exact: bool = True


class Guarded(NamedTuple):
    """E guarded episodes.

    Attributes:
        level_seed: int64[E].
        true_return: float64[E], undiscounted.
        return_before: float64[E], the part of it before the first help, all of it without any.
        length: int64[E], steps.
        helped: int64[E], steps in which a trusted policy acted.
        first_help: int64[E], step of the first help, or of the stop; ``NEVER`` without any.
        highest: float64[E], greatest score of the trigger while the policy acted.
    """

    level_seed: NDArray[np.int64]
    true_return: NDArray[np.float64]
    return_before: NDArray[np.float64]
    length: NDArray[np.int64]
    helped: NDArray[np.int64]
    first_help: NDArray[np.int64]
    highest: NDArray[np.float64]

    @property
    def any_help(self) -> NDArray[np.bool_]:
        """bool[E]: whether the guard acted in the episode."""
        return self.first_help != NEVER


def step_of(
    triggers: Sequence[Trigger],
    trusted: Sequence[Policy],
    env: BatchedEnv[Any],
    indices: NDArray[np.int64],
    own: NDArray[np.float32],
) -> Step:
    """What triggers look at in the environments ``indices``; only what they read is computed.

    Args:
        triggers: :class:`~proxylab.guard.triggers.Trigger` each.
        trusted: the trusted policies that they compare with.
        env: a ``BatchedEnv``.
        indices: int64[K].
        own: float32[K, A], action probabilities of the policy that is watched.
    """
    count, networks = len(indices), list[Any](trusted)
    theirs = np.empty((0, *own.shape), np.float32)
    values, features = np.empty((0, count), np.float32), np.empty((count, 0), np.float32)
    if any(trigger.reads_values for trigger in triggers):
        both = [network.probabilities_and_values(env, indices) for network in networks]
        theirs, values = (np.stack(part) for part in zip(*both, strict=True))
    elif any(trigger.reads_trusted for trigger in triggers):
        theirs = np.stack([policy.probabilities(env, indices) for policy in trusted])
    if any(trigger.fit for trigger in triggers):
        features = networks[0].features(env, indices)
    numbers = env.core.steps[indices].astype(np.int64)
    return Step(own, theirs, env.core.level_seeds[indices], numbers, values, features)


def score_of(
    guard: Guard, env: BatchedEnv[Any], indices: NDArray[np.int64], own: NDArray[np.float32]
) -> NDArray[np.float64]:
    """float64[K]: the score of the trigger in the environments ``indices`` (:func:`step_of`).

    Where it need not be exact, and the trigger is the distance from the nearest trusted policy, the
    next policy is asked only where no former one is within the threshold.
    """
    trigger = guard.trigger
    if guard.exact or trigger.distance is None:
        return trigger.score(step_of((trigger,), guard.trusted, env, indices, own))
    least = np.full(len(indices), np.inf)
    for policy in guard.trusted:
        far = np.flatnonzero(least > guard.threshold)
        if not far.size:
            break
        there = policy.probabilities(env, indices[far])
        least[far] = np.minimum(least[far], trigger.distance(there, own[far]))
    return least


class GuardedPolicy:
    """The policy of both, in the environments of one batch whose levels start together.

    It asks trusted policies only where it must: where the trigger reads them, or where one acts.

    Attributes:
        name: of the policy that is watched.
        task: its task.
        actor: int8[num_envs], index into :data:`ACTORS`, of the last step.
        score: float64[num_envs], what the trigger said of it; NaN where it was not asked.
    """

    def __init__(self, policy: Policy, guard: Guard, num_envs: int) -> None:
        """Guard ``policy`` in a batch of ``num_envs`` environments."""
        self.policy, self.guard = policy, guard
        self.name, self.task = policy.name, policy.task
        self.uses_torch = any(getattr(p, "uses_torch", False) for p in (policy, *guard.trusted))
        self.in_charge = np.zeros(num_envs, bool)
        self.summed = np.zeros(num_envs)
        self.calm = np.zeros(num_envs, np.int64)
        self.highest = np.full(num_envs, -np.inf)
        self.helped = np.zeros(num_envs, np.int64)
        self.first_help = np.full(num_envs, NEVER, np.int64)
        self.return_before = np.zeros(num_envs)
        self.actor, self.score = np.zeros(num_envs, np.int8), np.full(num_envs, np.nan)

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] of whoever acts in the environments ``indices``."""
        own = self.policy.probabilities(env, indices)
        self.actor[indices], self.score[indices] = SUSPECT, np.nan
        if self.guard.mode == ASK:
            self.in_charge[indices] = False
        watched = indices
        if self.guard.hand_back is None:  # whoever took over stays: nothing to watch there
            watched = indices[~self.in_charge[indices]]
        if self.guard.watch < 1:
            numbers = env.core.steps[watched].astype(np.int64)
            watched = watched[
                spot_checked(env.core.level_seeds[watched], numbers, self.guard.watch)
            ]
        if watched.size:
            self._watch(env, watched, own[np.isin(indices, watched)])
        theirs = indices[self.in_charge[indices]]
        if not theirs.size:
            return own
        self.actor[theirs] = NOBODY if self.guard.mode == STOP else TRUSTED
        if self.guard.mode == STOP:
            env.core.truncated[theirs] = True
            return own
        self.helped[theirs] += 1
        chosen = np.array(own)
        chosen[np.isin(indices, theirs)] = self.guard.trusted[0].probabilities(env, theirs)
        return chosen

    def _watch(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64], own: NDArray[np.float32]
    ) -> None:
        """Score the step in ``indices``, and decide who acts."""
        guard = self.guard
        score = score_of(guard, env, indices, own)
        acting = ~self.in_charge[indices]
        low = guard.threshold
        if guard.trigger.adds_up:
            self.summed[indices[acting]] += score[acting]
            score, low = np.where(acting, self.summed[indices], score), guard.trigger.calm
        self.score[indices] = score
        own_steps = indices[acting]
        self.highest[own_steps] = np.maximum(self.highest[own_steps], score[acting])
        above = score > np.where(acting, guard.threshold, low)
        self.calm[indices] = np.where(above, 0, self.calm[indices] + 1)
        self._decide(env, indices, above)

    def _decide(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64], above: NDArray[np.bool_]
    ) -> None:
        """Hand over where the score is above the threshold, and back where it was calm."""
        guard = self.guard
        new = indices[above & (self.first_help[indices] == NEVER)]
        self.first_help[new] = env.core.steps[new]
        self.return_before[new] = env.core.returns[new, 0]
        if guard.mode == ASK:
            self.in_charge[indices] = above
            return
        self.in_charge[indices] |= above
        if guard.hand_back is not None:
            back = indices[self.in_charge[indices] & (self.calm[indices] >= guard.hand_back)]
            self.in_charge[back] = False
            self.summed[back] = 0


def guarded_episodes(
    policy: Policy, guard: Guard, env: BatchedEnv[Any], level_seeds: NDArray[np.int64], seed: int
) -> Guarded:
    """Play one guarded episode on every level.

    A policy that is never helped acts as in :func:`proxylab.rollouts.rollout.rollout` with the
    same seed, step by step.

    Args:
        policy: the policy that is watched.
        guard: :class:`Guard`.
        env: a ``BatchedEnv``; its state is overwritten.
        level_seeds: int64[E].
        seed: of the action draws.
    """
    parts = list(_parts(policy, guard, env, level_seeds, seed))
    return Guarded(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _parts(
    policy: Policy, guard: Guard, env: BatchedEnv[Any], level_seeds: NDArray[np.int64], seed: int
) -> Iterator[Guarded]:
    """As many episodes at a time as the batch has environments; the rest of it stands still."""
    for first in range(0, len(level_seeds), env.num_envs):
        part = level_seeds[first : first + env.num_envs]
        count = len(part)
        env.core.truncated[:] = True
        env.reset_levels(part, np.arange(count))
        both = GuardedPolicy(policy, guard, env.num_envs)
        for _ in run_to_end(both, env, seed=seed, first=first):
            pass
        returns = env.core.returns[:count, 0].copy()
        helped = both.first_help[:count] != NEVER
        before = np.where(helped, both.return_before[:count], returns)
        stopped = env.core.steps[:count].astype(np.int64)
        if guard.mode == STOP:  # the step in which it stops is not taken
            returns = before
            stopped = np.where(helped, both.first_help[:count], stopped)
        helped_steps, first_help = both.helped[:count].copy(), both.first_help[:count].copy()
        highest = both.highest[:count].copy()
        yield Guarded(part, returns, before, stopped, helped_steps, first_help, highest)
