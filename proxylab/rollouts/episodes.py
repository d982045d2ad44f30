"""Episodes: what a monitor sees of one policy, as flat arrays.

There is no field for the true reward: whatever is built on :class:`Episodes`
cannot use it. Steps of all episodes stand one after another; episode ``e`` owns
the steps ``episode_offsets[e]`` to ``episode_offsets[e + 1] - 1``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

NO_STATE = -1
"""``state_id`` where the task has no index of states."""

PROBABILITY_TOLERANCE = 1e-3
"""How far a float32 row of action probabilities may sum from 1."""

STEP_FIELDS = ("state_id", "features", "action", "probabilities", "proxy_reward")
"""Fields with one row a step."""

EPISODE_FIELDS = ("level_seed", "terminated", "truncated")
"""Fields with one row an episode."""

_DTYPES = {
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
_OPTIONAL = ("probabilities", "proxy_reward")


@dataclass(frozen=True, eq=False)
class Episodes:
    """One policy's E episodes, T steps in all; checked when made.

    Attributes:
        task: name of the task.
        policy: name of the policy that acted.
        num_states: S, number of state indices, or 0 where the task has none.
        num_actions: A.
        episode_offsets: int64[E+1], first step of each episode; starts at 0, ends at T.
        state_id: int64[T] in [0, S), the state in which the action was taken;
            -1 where there is none.
        features: float32[T, F], a description of that state; F may be 0.
        action: int64[T] in [0, A).
        probabilities: float32[T, A], the policy's action probabilities, or None
            where only its actions are known.
        proxy_reward: float32[T], reward of the proxy channel (reward units), or
            None where it is not known.
        level_seed: int64[E].
        terminated: bool[E], the episode reached an end of the task.
        truncated: bool[E], a time limit cut the episode.

    Raises:
        ValueError: a shape, a range or a value is wrong; the message names the field.
    """

    task: str
    policy: str
    num_states: int
    num_actions: int
    episode_offsets: np.ndarray
    state_id: np.ndarray
    features: np.ndarray
    action: np.ndarray
    probabilities: np.ndarray | None
    proxy_reward: np.ndarray | None
    level_seed: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray

    def __post_init__(self):
        for name, dtype in _DTYPES.items():
            object.__setattr__(self, name, self._adopt(name, getattr(self, name), dtype))
        self._check_offsets()
        self._check_shapes()
        self._check_range("state_id", NO_STATE, self.num_states)
        self._check_range("action", 0, self.num_actions)
        self._check_values()

    @property
    def num_episodes(self):
        """E, number of episodes."""
        return len(self.episode_offsets) - 1

    @property
    def num_steps(self):
        """T, number of steps of all episodes."""
        return len(self.action)

    @property
    def lengths(self):
        """int64[E], steps of each episode."""
        return np.diff(self.episode_offsets)

    @property
    def episode_index(self):
        """int64[T], the episode that each step belongs to."""
        return np.repeat(np.arange(self.num_episodes), self.lengths)

    def select(self, indices):
        """The episodes ``indices`` (int64[K], repeats allowed), in this order."""
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        shift = np.repeat(self.episode_offsets[:-1][indices] - offsets[:-1], lengths)
        steps = np.arange(offsets[-1]) + shift
        rows = {name: _take(getattr(self, name), steps) for name in STEP_FIELDS}
        rows |= {name: getattr(self, name)[indices] for name in EPISODE_FIELDS}
        return replace(self, episode_offsets=offsets, **rows)

    def _complain(self, message):
        raise ValueError(f"episodes of {self.policy or 'an unnamed policy'}: {message}")

    def _adopt(self, name, value, dtype):
        if value is None and name in _OPTIONAL:
            return None
        try:
            array = np.ascontiguousarray(value)
            return array.astype(dtype, casting="same_kind", copy=False)
        except (TypeError, ValueError):
            self._complain(f"{name} is not an array of {np.dtype(dtype).name}")

    def _check_offsets(self):
        offsets = self.episode_offsets
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0:
            self._complain("episode_offsets must be a list that starts with 0")
        bad = np.flatnonzero(np.diff(offsets) <= 0)
        if bad.size:
            self._complain(f"episode {bad[0]} has no steps (episode_offsets must increase)")
        if offsets[-1] != len(self.action):
            self._complain(f"episode_offsets end at {offsets[-1]}, but {len(self.action)} actions")

    def _check_shapes(self):
        steps, episodes = self.num_steps, self.num_episodes
        wanted: dict[str, tuple] = dict.fromkeys(("state_id", "action", "proxy_reward"), (steps,))
        wanted |= dict.fromkeys(EPISODE_FIELDS, (episodes,))
        wanted["probabilities"] = (steps, self.num_actions)
        wanted["features"] = (steps, *self.features.shape[1:2])
        if self.features.ndim != 2:
            self._complain(f"features must have shape [steps, F], not {self.features.shape}")
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                self._complain(f"{name} has shape {array.shape}, expected {shape}")

    def _check_range(self, name, low, high):
        array = getattr(self, name)
        outside = np.flatnonzero((array < low) | (array >= max(high, low + 1)))
        if outside.size:
            step = outside[0]
            self._complain(f"{name} {array[step]} at step {step} is not in [{low}, {high})")

    def _check_values(self):
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
    """All episodes of ``parts``, in order, as one policy's.

    Args:
        parts: at least one; of one task, with equal numbers of states and actions.
        policy: name of the result; the first part's by default.

    Returns:
        Episodes; ``probabilities`` and ``proxy_reward`` only if every part has them.

    Raises:
        ValueError: nothing to join, or the parts do not fit together.
    """
    if not parts:
        raise ValueError("no episodes to join")
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


def column_names():
    """Names of the array fields, in their order: the columns of a rollout log."""
    return tuple(field.name for field in fields(Episodes) if field.name in _DTYPES)


def _take(array, steps):
    return None if array is None else array[steps]


def _join(parts, name):
    arrays = [getattr(part, name) for part in parts]
    if any(array is None for array in arrays):
        return None
    widths = {array.shape[1:] for array in arrays}
    if len(widths) > 1:
        raise ValueError(f"cannot join episodes: {name} has widths {sorted(widths)}")
    return np.concatenate(arrays)
