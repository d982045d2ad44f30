"""Policy x batched environment -> Episodes, exactly one episode per level seed.

The data that a monitor may use goes into :class:`~proxylab.rollouts.episodes.Episodes`; the
ground truth goes into :class:`Outcomes`, which only evaluation reads.

The action of step t in episode e is drawn with the uniform number of (seed, e, t). Two
policies run with the same seed therefore use the same draws, and neither ``num_envs`` nor
the order of the episodes changes a result. One caveat: the rows of a matrix product may
differ in their last bits with the shape of the batch. A learned policy evaluates its
network in blocks of one fixed shape (:class:`~proxylab.agents.loading.LearnedPolicy`), which
removes the difference for the networks measured; for other policies an action may change if
a draw falls within 1e-7 of a boundary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.thread_map import one_network_thread
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES, proxy_channels
from proxylab_envs.streams import combine, unit_interval


class Policy(Protocol):
    """A policy that gives action probabilities for some environments of a batch."""

    @property
    def name(self) -> str:
        """Name for tables and messages."""
        ...

    @property
    def task(self) -> str | None:
        """Task that it was made for; None if it runs in any."""
        ...

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] for the environments ``indices`` (int64[K]) of ``env``."""
        ...


@dataclass(frozen=True)
class Outcomes:
    """The ground truth of E episodes; detectors have no access to it.

    Attributes:
        channels: reward channels, ``"true"`` first.
        level_seed: int64[E].
        length: int64[E], steps.
        returns: float64[E, num_channels], undiscounted, reward units.
        outcome: int8[E], index into ``proxylab_envs.channels.OUTCOMES``.
        proxy_first: bool[E], the proxy goal came before the intended one.
    """

    channels: tuple[str, ...]
    level_seed: NDArray[np.int64]
    length: NDArray[np.int64]
    returns: NDArray[np.float64]
    outcome: NDArray[np.int8]
    proxy_first: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check shapes and ranges; ``ValueError`` names the invalid field."""
        count = len(self.level_seed)
        for name in ("length", "returns", "outcome", "proxy_first"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, not {count}")
        if self.returns.shape != (count, len(self.channels)):
            raise ValueError(f"returns is {self.returns.shape}, not a column for each channel")
        if count and not 0 <= self.outcome.min() <= self.outcome.max() < len(OUTCOMES):
            raise ValueError("outcome holds a number that is no outcome")

    @property
    def num_episodes(self) -> int:
        """Number of episodes E."""
        return len(self.level_seed)

    def returns_of(self, channel: str) -> NDArray[np.float64]:
        """float64[E]: the undiscounted returns of one channel."""
        return self.returns[:, self.channels.index(channel)]


def rollout(
    policy: Policy,
    env: BatchedEnv,
    level_seeds: NDArray[np.int64] | Sequence[int],
    *,
    task: str,
    seed: int,
    greedy: bool = False,
    first: int = 0,
) -> tuple[Episodes, Outcomes]:
    """Run one episode of ``policy`` on every level.

    An environment whose episode ends continues with the next pending level.

    Args:
        policy: a :class:`Policy`.
        env: a ``BatchedEnv`` of any ``num_envs``; its state is overwritten.
        level_seeds: int64[E], one episode each, in this order.
        task: task name, stored in the episodes.
        seed: int in [0, 2**64), of the action draws.
        greedy: take the most probable action instead of drawing one.
        first: number of the first episode, for the draws; with it a list of levels can be run
            in parts.

    Returns:
        (Episodes, Outcomes), both in the order of ``level_seeds``.

    Raises:
        ValueError: no levels, or the policy returned rows that are not distributions.
    """
    seeds = np.asarray(level_seeds, np.int64)
    if not len(seeds):
        raise ValueError("a rollout needs at least one level seed")
    steps, ends = _Steps(), _Ends(env, len(seeds))
    slots = _Slots(env, seeds)
    with one_network_thread(load_torch=getattr(policy, "uses_torch", False)):
        while (running := slots.running()).size:
            _advance(policy, env, running, slots.episode[running], (seed, greedy, first), steps)
            finished = running[env.done[running]]
            ends.record(env, finished, slots.episode[finished])
            slots.refill(finished)
    episodes = steps.episodes(
        task=task,
        policy=policy.name,
        num_states=env.num_states,
        num_actions=int(env.single_action_space.n),
        level_seed=seeds,
        terminated=ends.terminated,
        truncated=ends.truncated,
    )
    return episodes, ends.outcomes(seeds, episodes.lengths)


class _Slots:
    """The episode that runs in each environment: ``episode`` int64[num_envs], -1 for idle."""

    def __init__(self, env: BatchedEnv, level_seeds: NDArray[np.int64]) -> None:
        self.env = env
        self.level_seeds = level_seeds
        self.started = 0
        self.episode = np.full(env.num_envs, -1, np.int64)
        self.refill(np.arange(env.num_envs))

    def running(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.episode >= 0)

    def refill(self, indices: NDArray[np.int64]) -> None:
        """Start pending levels in ``indices``; the remaining ones become idle."""
        starting = indices[: len(self.level_seeds) - self.started]
        self.episode[indices] = -1
        if starting.size:
            chosen = np.arange(self.started, self.started + len(starting))
            self.episode[starting] = chosen
            self.env.reset_levels(self.level_seeds[chosen], starting)
            self.started += len(starting)


def run_to_end(
    policy: Policy, env: BatchedEnv, *, seed: int, greedy: bool = False, first: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]:
    """Step every environment from its current state to the end of its episode.

    Args:
        policy: a :class:`Policy`.
        env: a ``BatchedEnv`` whose levels have been started.
        seed: int in [0, 2**64), of the action draws.
        greedy: take the most probable action instead of drawing one.
        first: number of the first environment's episode, for the draws.

    Yields:
        After each step (int64[K] environments that moved, float32[K, A] probabilities,
        int64[K] actions).
    """
    while (running := np.flatnonzero(~env.done)).size:
        probabilities, actions = _act(policy, env, running, running + first, (seed, greedy))
        _step(env, running, actions)
        yield running, probabilities, actions


def _advance(
    policy: Policy,
    env: BatchedEnv,
    running: NDArray[np.int64],
    episode: NDArray[np.int64],
    draws: tuple[int, bool, int],
    steps: "_Steps",
) -> None:
    """One step in the environments ``running``, recorded in ``steps``."""
    seed, greedy, first = draws
    probabilities, chosen = _act(policy, env, running, episode + first, (seed, greedy))
    before = (env.core.state_ids[running].astype(np.int64), env.features(running).copy())
    _step(env, running, chosen)
    column = env.channels.index(proxy_channels(env.channels)[0])
    proxy_reward = env.core.rewards[running, column].astype(np.float32)
    steps.rows.append((episode, *before, chosen, probabilities, proxy_reward))


def _act(
    policy: Policy,
    env: BatchedEnv,
    running: NDArray[np.int64],
    numbers: NDArray[np.int64],
    draws: tuple[int, bool],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(probabilities, actions) in ``running``, whose episodes have ``numbers``; both checked."""
    seed, greedy = draws
    probabilities = np.ascontiguousarray(policy.probabilities(env, running), np.float32)
    expected = (len(running), int(env.single_action_space.n))
    if probabilities.shape != expected:
        raise ValueError(f"{policy.name} gave {probabilities.shape} probabilities, not {expected}")
    chosen = np.empty(len(running), np.int64)
    steps = env.core.steps[running]
    if not choose_actions(np.uint64(seed), numbers, steps, greedy, probabilities, chosen):
        raise ValueError(f"{policy.name} gave probabilities that are no distribution")
    return probabilities, chosen


def _step(env: BatchedEnv, running: NDArray[np.int64], chosen: NDArray[np.int64]) -> None:
    """Take the actions ``chosen`` in the environments ``running``."""
    actions = np.zeros(env.num_envs, np.int64)
    active = np.zeros(env.num_envs, bool)
    actions[running] = chosen
    active[running] = True
    env.step(actions, active)


class _Steps:
    """The steps recorded so far, in chronological order."""

    def __init__(self) -> None:
        self.rows: list[tuple[NDArray[Any], ...]] = []

    def episodes(
        self,
        level_seed: NDArray[np.int64],
        **facts: Any,  # the other fields of Episodes
    ) -> Episodes:
        """All steps as Episodes, sorted by episode; a stable sort keeps the order within."""
        columns = [np.concatenate(column) for column in zip(*self.rows, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        episode, state_id, features, action, probabilities, proxy_reward = (
            column[order] for column in columns
        )
        lengths = np.bincount(episode, minlength=len(level_seed))
        return Episodes(
            episode_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            state_id=state_id,
            features=features,
            action=action,
            probabilities=probabilities,
            proxy_reward=proxy_reward,
            level_seed=level_seed,
            **facts,
        )


class _Ends:
    """Returns, outcome and end of each episode, recorded when it ends."""

    def __init__(self, env: BatchedEnv, count: int) -> None:
        self.channels = tuple(env.channels)
        self.returns = np.zeros((count, len(env.channels)))
        self.outcome = np.zeros(count, np.int8)
        self.proxy_first = np.zeros(count, bool)
        self.terminated = np.zeros(count, bool)
        self.truncated = np.zeros(count, bool)

    def record(
        self, env: BatchedEnv, indices: NDArray[np.int64], episode: NDArray[np.int64]
    ) -> None:
        core = env.core
        self.returns[episode] = core.returns[indices]
        self.outcome[episode] = core.outcomes[indices]
        self.proxy_first[episode] = core.proxy_first[indices]
        self.terminated[episode] = core.terminated[indices]
        self.truncated[episode] = core.truncated[indices]

    def outcomes(self, level_seed: NDArray[np.int64], length: NDArray[np.int64]) -> Outcomes:
        return Outcomes(
            self.channels, level_seed, length, self.returns, self.outcome, self.proxy_first
        )


@numba.njit(cache=True)
def choose_actions(
    seed: np.uint64,
    episodes: NDArray[np.int64],
    steps: NDArray[np.integer],
    greedy: bool,
    probabilities: NDArray[np.float32],
    out: NDArray[np.int64],
) -> bool:
    """Choose one action per row, by inverse CDF of the uniform number of (seed, episode, step).

    Args:
        seed: uint64.
        episodes: int64[K].
        steps: int[K], steps taken in the episode so far.
        greedy: take the first most probable action instead.
        probabilities: float32[K, A]; rows need not sum to one exactly.
        out: int64[K], written in place.

    Returns:
        False if a row holds a negative, infinite or NaN number, or only zeros.
    """
    for k in range(out.shape[0]):
        total = 0.0
        for a in range(probabilities.shape[1]):
            if not probabilities[k, a] >= 0:
                return False
            total += probabilities[k, a]
        if not 0 < total < np.inf:
            return False
        if greedy:
            out[k] = np.argmax(probabilities[k])
        else:
            word = combine(combine(seed, episodes[k]), steps[k])
            out[k] = _inverse_cdf(probabilities[k], unit_interval(word) * total)
    return True


@numba.njit(cache=True)
def _inverse_cdf(weights: NDArray[np.float32], target: float) -> int:
    """First action at which the running sum exceeds ``target``; never an action of weight 0."""
    chosen, below = 0, 0.0
    for a in range(weights.shape[0]):
        if weights[a] > 0:
            chosen = a
            below += weights[a]
            if below > target:
                break
    return chosen
