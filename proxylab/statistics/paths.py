"""What a trajectory looks like from afar: length, revisits, loops, turns, and how near it came."""

import numba
import numpy as np

PATH_FEATURES = ("length", "revisit_ratio", "loops", "turn_entropy")
"""Columns of :func:`path_features`."""


@numba.njit(cache=True, nogil=True)
def path_features(state_id, action, offsets, num_states, num_actions):
    """Shape of every episode: float64[E, 4], columns as ``PATH_FEATURES``.

    - ``length``         L, steps
    - ``revisit_ratio``  share of steps whose state the episode has been in before
    - ``loops``          how often it comes back to such a state after having left it
    - ``turn_entropy``   −Σ p log₂ p of the turns (a_t − a_{t−1}) mod A, bits; 0 of one step

    Args:
        state_id: int64[T] in [0, num_states), or −1: such a step is no revisit and no loop.
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
def _entropy(counts, total):
    """Bits of the distribution counts/total; 0 where ``total`` is."""
    out = 0.0
    for k in range(counts.shape[0]):
        if counts[k] > 0:
            share = counts[k] / total
            out -= share * np.log2(share)
    return out


@numba.njit(cache=True, nogil=True)
def nearest_approaches(state_id, action, offsets, level, distances, successors):
    """How near each episode came to each landmark, as a share of the way there at its start.

    0 where it arrived, 1 where it never came nearer than it began, or could not. The state
    that the last action leads to counts, where the map says which that is.

    Args:
        state_id: int64[T] in [0, S).
        action: int64[T] in [0, A).
        offsets: int64[E+1], first step of each episode.
        level: int64[E], row of each episode's level.
        distances: int16[K, G, S], steps to each landmark, negative where there is no way.
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
def _nearer(a, b):
    """The lesser of two distances, of which negative ones are none."""
    return a if b < 0 or 0 <= a <= b else b
