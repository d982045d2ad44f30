"""Episodes: the data on one policy that a monitor may use, as flat arrays.

There is no field for the true reward, so code that takes :class:`Episodes` cannot use it.
The steps of all episodes are concatenated; episode ``e`` holds
the steps ``episode_offsets[e]`` to ``episode_offsets[e + 1] - 1``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

NO_STATE = -1
"""``state_id`` in tasks without an index of states."""

PROBABILITY_TOLERANCE = 1e-3
"""Allowed deviation from 1 of the sum of a float32 row of action probabilities."""

STEP_FIELDS = ("state_id", "features", "action", "probabilities", "proxy_reward")
"""Fields with one row per step."""

EPISODE_FIELDS = ("level_seed", "terminated", "truncated")
"""Fields with one row per episode."""

ARRAYS: dict[str, type[np.generic]] = {
    "episode_offsets": np.int64,
    "state_id": np.int64,
    "features": np.float32,
    "action": np.int64,
    "probabilities": np.float32,
    "proxy_reward": np.float32,
    "level_seed": np.int64,
    "terminated": np.bool_,
    "truncated": np.bool_,
}
"""{array field: data type}."""

OPTIONAL_ARRAYS = ("probabilities", "proxy_reward")

BATCH_STEPS = 1 << 18
"""Steps of a batch, about: what a computation over many episodes holds in memory."""


@dataclass(frozen=True, eq=False)
class Episodes:
    """E episodes of one policy, T steps in total; validated on construction.

    Attributes:
        task: name of the task.
        policy: name of the policy that acted.
        num_states: S, number of state indices; 0 if the task has none.
        num_actions: A.
        episode_offsets: int64[E+1], first step of each episode; starts at 0, ends at T.
        state_id: int64[T] in [0, S), the state in which the action was taken;
            -1 for none.
        features: float32[T, F], a description of that state; F may be 0.
        action: int64[T] in [0, A).
        probabilities: float32[T, A], the policy's action probabilities; None
            if only its actions are known.
        proxy_reward: float32[T], reward of the proxy channel (reward units);
            None if unknown.
        level_seed: int64[E].
        terminated: bool[E], the episode ended in a terminal state.
        truncated: bool[E], the episode was cut by a time limit.

    Raises:
        ValueError: a shape, a range or a value is wrong; the message names the field.
    """

    task: str
    policy: str
    num_states: int
    num_actions: int
    episode_offsets: NDArray[np.int64]
    state_id: NDArray[np.int64]
    features: NDArray[np.float32]
    action: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None
    proxy_reward: NDArray[np.float32] | None
    level_seed: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            object.__setattr__(self, name, self._adopt(name, getattr(self, name), dtype))
        self._check_offsets()
        self._check_shapes()
        self._check_range("state_id", NO_STATE, self.num_states)
        self._check_range("action", 0, self.num_actions)
        self._check_values()

    @property
    def num_episodes(self) -> int:
        """E, number of episodes."""
        return len(self.episode_offsets) - 1

    @property
    def num_steps(self) -> int:
        """T, total number of steps."""
        return len(self.action)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64[E], steps of each episode."""
        return np.diff(self.episode_offsets)

    @property
    def episode_index(self) -> NDArray[np.int64]:
        """int64[T], the episode that each step belongs to."""
        return np.repeat(np.arange(self.num_episodes), self.lengths)

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> Self:
        """The episodes ``indices`` (int64[K], repeats allowed), in this order."""
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        shift = np.repeat(self.episode_offsets[:-1][indices] - offsets[:-1], lengths)
        steps = np.arange(offsets[-1]) + shift
        rows = {name: _take(getattr(self, name), steps) for name in STEP_FIELDS}
        rows |= {name: getattr(self, name)[indices] for name in EPISODE_FIELDS}
        return self._with(episode_offsets=offsets, **rows)

    def batches(self) -> "Iterator[Episodes]":
        """All episodes in order, in parts of at most ``BATCH_STEPS`` steps and one episode."""
        if self.num_steps <= BATCH_STEPS:
            yield self.loaded()
            return
        yield from self._parts(spans(self.episode_offsets))

    def loaded(self) -> "Episodes":
        """The same episodes with all arrays in memory."""
        return self

    def resized(self, num_states: int, num_actions: int) -> Self:
        """The same episodes with larger numbers of states and actions.

        Raises:
            ValueError: there are probabilities of another number of actions.
        """
        if self.num_actions != num_actions and self.probabilities is not None:
            self._complain(f"probabilities of {self.num_actions} actions, not {num_actions}")
        return self._with(num_states=num_states, num_actions=num_actions)

    def _parts(self, bounds: Iterable[tuple[int, int]]) -> "Iterator[Episodes]":
        """The episodes ``first`` to ``last - 1`` of each pair of bounds, as views."""
        for first, last in bounds:
            offsets = self.episode_offsets[first : last + 1]
            steps = slice(offsets[0], offsets[-1])
            rows = {name: _take(getattr(self, name), steps) for name in STEP_FIELDS}
            rows |= {name: getattr(self, name)[first:last] for name in EPISODE_FIELDS}
            yield self._with(episode_offsets=offsets - offsets[0], **rows)

    def named(self, policy: str) -> Self:
        """The same episodes under another name of the policy."""
        return self if policy == self.policy else self._with(policy=policy)

    def _with(self, **changes: Any) -> Self:
        """A copy with other fields that follow from checked ones and are not checked again."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), **changes)
        return copy

    def _complain(self, message: str) -> NoReturn:
        raise ValueError(f"episodes of {self.policy or 'an unnamed policy'}: {message}")

    def _adopt(self, name: str, value: Any, dtype: type[np.generic]) -> NDArray[Any] | None:
        if value is None and name in OPTIONAL_ARRAYS:
            return None
        try:
            array = np.ascontiguousarray(value)
            return array.astype(dtype, casting="same_kind", copy=False)
        except (TypeError, ValueError):
            self._complain(f"{name} is not an array of {np.dtype(dtype).name}")

    def _check_offsets(self) -> None:
        offsets = self.episode_offsets
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0:
            self._complain("episode_offsets must be a list that starts with 0")
        bad = np.flatnonzero(np.diff(offsets) <= 0)
        if bad.size:
            self._complain(f"episode {bad[0]} has no steps (episode_offsets must increase)")
        if offsets[-1] != len(self.action):
            self._complain(f"episode_offsets end at {offsets[-1]}, but {len(self.action)} actions")

    def _check_shapes(self) -> None:
        steps, episodes = self.num_steps, self.num_episodes
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            ("state_id", "action", "proxy_reward"), (steps,)
        )
        shapes |= dict.fromkeys(EPISODE_FIELDS, (episodes,))
        shapes["probabilities"] = (steps, self.num_actions)
        shapes["features"] = (steps, *self.features.shape[1:2])
        if self.features.ndim != 2:
            self._complain(f"features must have shape [steps, F], not {self.features.shape}")
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                self._complain(f"{name} has shape {array.shape}, expected {shape}")

    def _check_range(self, name: str, low: int, high: int) -> None:
        array = getattr(self, name)
        outside = np.flatnonzero((array < low) | (array >= max(high, low + 1)))
        if outside.size:
            step = outside[0]
            self._complain(f"{name} {array[step]} at step {step} is not in [{low}, {high})")

    def _check_values(self) -> None:
        for name in ("features", "probabilities", "proxy_reward"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                self._complain(f"{name} holds NaN or infinity")
        if self.probabilities is None:
            return
        sums = self.probabilities.sum(axis=1)
        bad = (self.probabilities < 0).any(axis=1) | (np.abs(sums - 1) > PROBABILITY_TOLERANCE)
        if bad.any():
            self._complain(f"probabilities at step {np.argmax(bad)} are no distribution")


def concatenate(parts: Sequence[Episodes], policy: str | None = None) -> Episodes:
    """Concatenate ``parts``, in order, as the episodes of one policy.

    Args:
        parts: one or more, of one task, with equal numbers of states and actions.
        policy: name of the result; the first part's by default.

    Returns:
        Episodes; ``probabilities`` and ``proxy_reward`` only if every part has them.

    Raises:
        ValueError: no parts, or parts that differ in task, states or actions.
    """
    if not parts:
        raise ValueError("no episodes to join")
    parts = [part.loaded() for part in parts]
    first = parts[0]
    for part in parts[1:]:
        for name in ("task", "num_states", "num_actions"):
            if getattr(part, name) != getattr(first, name):
                raise ValueError(
                    f"cannot join episodes of {first.policy} and {part.policy}: {name} differs "
                    f"({getattr(first, name)!r} and {getattr(part, name)!r})"
                )
    columns = {name: _join(parts, name) for name in STEP_FIELDS + EPISODE_FIELDS}
    lengths = np.concatenate([part.lengths for part in parts])
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return replace(first, policy=policy or first.policy, episode_offsets=offsets, **columns)


def spans(offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """[(first episode, last episode + 1)] of batches, from ``episode_offsets`` (int64[E+1])."""
    batch = offsets[:-1] // BATCH_STEPS
    cuts = np.flatnonzero(batch[1:] != batch[:-1]) + 1
    bounds = [0, *cuts.tolist(), len(batch)]
    return list(pairwise(bounds))


def batches_of(population: Iterable[Episodes]) -> Iterator[Episodes]:
    """The batches of all policies, one after another."""
    for episodes in population:
        yield from episodes.batches()


def by_batch(episodes: Episodes, values: Callable[[Episodes], NDArray[Any]]) -> NDArray[Any]:
    """[E]: a value of each episode, ``values`` (Episodes) -> [E], batch by batch."""
    return np.concatenate([values(batch) for batch in episodes.batches()])


def proxy_returns(episodes: Episodes) -> NDArray[np.float64]:
    """float64[E], undiscounted return of the proxy channel, reward units.

    Raises:
        ValueError: it is unknown.
    """
    if episodes.proxy_reward is None:
        raise ValueError(f"episodes of {episodes.policy}: the proxy reward is unknown")
    return np.add.reduceat(episodes.proxy_reward, episodes.episode_offsets[:-1], dtype=np.float64)


def column_names() -> tuple[str, ...]:
    """Names of the array fields in their order: the columns of a rollout log."""
    return tuple(field.name for field in fields(Episodes) if field.name in ARRAYS)


def _take(array: NDArray[Any] | None, steps: NDArray[np.int64] | slice) -> NDArray[Any] | None:
    return None if array is None else array[steps]


def _join(parts: Sequence[Episodes], name: str) -> NDArray[Any] | None:
    arrays = [getattr(part, name) for part in parts]
    if any(array is None for array in arrays):
        return None
    widths = {array.shape[1:] for array in arrays}
    if len(widths) > 1:
        raise ValueError(f"cannot join episodes: {name} has widths {sorted(widths)}")
    return np.concatenate(arrays)
