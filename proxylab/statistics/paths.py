"""Shape features of trajectories: length, revisits, loops, turns, nearest approaches."""

import numba
import numpy as np
from numpy.typing import NDArray

PATH_FEATURES = ("length", "revisit_ratio", "loops", "turn_entropy")
"""Columns of :func:`path_features`."""


@numba.njit(cache=True, nogil=True)
def path_features(
    state_id: NDArray[np.int64],
    action: NDArray[np.int64],
    offsets: NDArray[np.int64],
    num_states: int,
    num_actions: int,
) -> NDArray[np.float64]:
    """Shape of every episode: float64[E, 4], columns as ``PATH_FEATURES``.

    - ``length``         L, steps
    - ``revisit_ratio``  share of steps in a state that the episode has visited before
    - ``loops``          number of returns to such a state after leaving it
    - ``turn_entropy``   −Σ p log₂ p of the turns (a_t − a_{t−1}) mod A, bits; 0 of one step

    Args:
        state_id: int64[T] in [0, num_states), or −1: such a step counts as neither.
        action: int64[T] in [0, num_actions).
        offsets: int64[E+1], first step of each episode.
        num_states: S.
        num_actions: A.
    """
    out = np.zeros((offsets.shape[0] - 1, 4))
    seen_in = np.full(num_states, -1)
    gaps, turns = np.empty(2 * num_actions - 1), np.empty(num_actions)
    for episode in range(out.shape[0]):
        start, stop = offsets[episode], offsets[episode + 1]
        revisits, loops, before = 0, 0, -1
        for step in range(start, stop):
            state = state_id[step]
            if state >= 0:
                again = seen_in[state] == episode
                revisits += again
                loops += again & (state != before)
                seen_in[state] = episode
            before = state
        gaps[:] = 0
        for step in range(start + 1, stop):
            gaps[action[step] - action[step - 1] + num_actions - 1] += 1
        for turn in range(num_actions):  # a gap below 0 is the turn A higher
            turns[turn] = gaps[turn + num_actions - 1] + (gaps[turn - 1] if turn > 0 else 0)
        out[episode, 0] = stop - start
        out[episode, 1] = revisits / (stop - start)
        out[episode, 2] = loops
        out[episode, 3] = _entropy(turns, stop - start - 1)
    return out


@numba.njit(cache=True, nogil=True)
def most_entries(
    state_id: NDArray[np.int64], offsets: NDArray[np.int64], num_states: int
) -> NDArray[np.int64]:
    """int64[E], how often each episode enters the state that it enters most often.

    A step in the same state as the step before is no entry.

    Args:
        state_id: int64[T] in [0, num_states).
        offsets: int64[E+1], first step of each episode.
        num_states: S.
    """
    out = np.zeros(offsets.shape[0] - 1, np.int64)
    entries = np.zeros(num_states, np.int64)
    for episode in range(out.shape[0]):
        entries[:] = 0
        before = -1
        for step in range(offsets[episode], offsets[episode + 1]):
            if state_id[step] != before:
                before = state_id[step]
                entries[before] += 1
        out[episode] = entries.max()
    return out


def one_way(
    state_id: NDArray[np.int64], offsets: NDArray[np.int64], num_states: int
) -> NDArray[np.float64]:
    """float64[E], how one-sided the moves of every episode are: 1 on a loop, 0 to and fro.

    With n_ab the moves from state a to another state b: Σ |n_ab − n_ba| / Σ (n_ab + n_ba) over
    unordered pairs; 1 without any move.

    Args:
        state_id: int64[T] in [0, num_states).
        offsets: int64[E+1], first step of each episode.
        num_states: S.
    """
    episodes = len(offsets) - 1
    episode = np.repeat(np.arange(episodes), np.diff(offsets))
    moved = (np.diff(state_id) != 0) & (np.diff(episode) == 0)
    here, there = state_id[:-1][moved], state_id[1:][moved]
    pair = np.minimum(here, there) * num_states + np.maximum(here, there)
    key = episode[:-1][moved] * num_states**2 + pair
    keys, at = np.unique(key, return_inverse=True)
    net = np.abs(np.bincount(at, np.where(here < there, 1.0, -1.0), len(keys)))
    of = keys // num_states**2
    total = np.bincount(episode[:-1][moved], minlength=episodes)
    uneven = np.bincount(of, net, episodes)
    return np.where(total > 0, uneven / np.maximum(total, 1), 1.0)


@numba.njit(cache=True, nogil=True)
def _entropy(counts: NDArray[np.float64], total: int) -> float:
    """Bits of the distribution counts/total; 0 where ``total`` is."""
    out = 0.0
    for k in range(counts.shape[0]):
        if counts[k] > 0:
            share = counts[k] / total
            out -= share * np.log2(share)
    return out


@numba.njit(cache=True, nogil=True)
def nearest_approaches(
    state_id: NDArray[np.int64],
    action: NDArray[np.int64],
    offsets: NDArray[np.int64],
    level: NDArray[np.int64],
    distances: NDArray[np.int16],
    successors: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Nearest approach of each episode to each landmark, as a share of the initial distance.

    0 where it arrived; 1 where it never came nearer than at its start, or the landmark is out
    of reach. The state that the last action leads to counts where it is known.

    Args:
        state_id: int64[T] in [0, S).
        action: int64[T] in [0, A).
        offsets: int64[E+1], first step of each episode.
        level: int64[E], row of each episode's level.
        distances: int16[K, G, S], steps to each landmark, negative where it is out of reach.
        successors: int32[K, S, A], the state that an action leads to, negative where that
            is not known; or int32[0, S, A].

    Returns:
        float64[E, G], in [0, 1].
    """
    out = np.ones((level.shape[0], distances.shape[1]))
    for episode in range(level.shape[0]):
        row, start, last = level[episode], offsets[episode], offsets[episode + 1] - 1
        end = state_id[last]
        if successors.shape[0] > 0 and successors[row, end, action[last]] >= 0:
            end = successors[row, end, action[last]]
        for goal in range(distances.shape[1]):
            there = distances[row, goal]
            begin = there[state_id[start]]
            nearest = begin
            for step in range(start, last + 1):
                nearest = _nearer(nearest, there[state_id[step]])
            nearest = _nearer(nearest, there[end])
            if nearest == 0:
                out[episode, goal] = 0.0
            elif begin > 0:
                out[episode, goal] = nearest / begin
    return out


@numba.njit(cache=True, nogil=True)
def _nearer(a: int, b: int) -> int:
    """The smaller of two distances; a negative one means out of reach."""
    return a if b < 0 or 0 <= a <= b else b
