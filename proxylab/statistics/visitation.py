"""Discounted visitation (occupancy) of states over ragged episodes.

The visitation of an episode of L steps puts the weight γ^t on the state of step
t and divides by Σ_{t<L} γ^t: a distribution over the states in which the policy
acted. Steps without a state (−1) carry no weight.
"""

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def discounted_visitation(
    state_id: NDArray[np.int64], offsets: NDArray[np.int64], num_states: int, discount: float
) -> NDArray[np.float64]:
    """Visitation of every episode.

    Args:
        state_id: int64[T], in [0, num_states) or −1.
        offsets: int64[E+1], first step of each episode.
        num_states: S.
        discount: γ in (0, 1].

    Returns:
        float64[E, S]; each row sums to 1, or is 0 where no step had a state.
    """
    groups = np.arange(offsets.shape[0] - 1)
    return pooled_visitation(state_id, offsets, groups, groups.shape[0], num_states, discount)


@numba.njit(cache=True)
def pooled_visitation(
    state_id: NDArray[np.int64],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    num_groups: int,
    num_states: int,
    discount: float,
) -> NDArray[np.float64]:
    """Mean visitation of the episodes of each group, with equal weight for every episode.

    Args:
        state_id: int64[T], in [0, num_states) or −1.
        offsets: int64[E+1].
        group: int64[E] in [0, num_groups), for instance the level's index.
        num_groups: G.
        num_states: S.
        discount: γ in (0, 1].

    Returns:
        float64[G, S]; each row sums to 1, or is 0 where no step of the group had a state.
    """
    visits, members = np.zeros((num_groups, num_states)), np.zeros(num_groups)
    add_visits(visits, members, state_id, offsets, group, discount)
    share_visits(visits, members)
    return visits


@numba.njit(cache=True)
def add_visits(
    visits: NDArray[np.float64],
    members: NDArray[np.float64],
    state_id: NDArray[np.int64],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    discount: float,
) -> None:
    """Add the visitation of more episodes to the totals of their groups, in place.

    Args:
        visits: float64[G, S], sums of the episodes' visitation.
        members: float64[G], number of episodes with a state.
        state_id: int64[T], in [0, S) or −1.
        offsets: int64[E+1].
        group: int64[E] in [0, G).
        discount: γ in (0, 1].
    """
    powers, sums = _powers(offsets, discount)
    for episode in range(offsets.shape[0] - 1):
        start, length = offsets[episode], offsets[episode + 1] - offsets[episode]
        total = _total_weight(state_id, start, length, powers, sums)
        if total == 0:
            continue
        row = group[episode]
        members[row] += 1
        share = 1.0 / total
        for step in range(length):
            if state_id[start + step] >= 0:
                visits[row, state_id[start + step]] += powers[step] * share


@numba.njit(cache=True)
def share_visits(visits: NDArray[np.float64], members: NDArray[np.float64]) -> None:
    """Turn the totals of :func:`add_visits` into means, in place."""
    for row in range(visits.shape[0]):
        if members[row] > 1:
            visits[row] /= members[row]


@numba.njit(cache=True)
def add_at(
    totals: NDArray[np.float64], index: NDArray[np.int64], weight: NDArray[np.float64]
) -> None:
    """Add each of ``weight`` (float64[N]) to the total of its ``index`` (int64[N]), in order."""
    for n in range(index.shape[0]):
        totals[index[n]] += weight[n]


@numba.njit(cache=True)
def add_rows(
    totals: NDArray[np.float64], index: NDArray[np.int64], rows: NDArray[np.float64]
) -> None:
    """Add each row of ``rows`` (float64[N, K]) to the row ``index[n]`` of ``totals``, in order."""
    for n in range(index.shape[0]):
        totals[index[n]] += rows[n]


@numba.njit(cache=True)
def _powers(
    offsets: NDArray[np.int64], discount: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(float64[H], float64[H + 1]): γ^t and Σ_{s<t} γ^s, H the longest episode's steps."""
    longest = 0
    for episode in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[episode + 1] - offsets[episode])
    powers, sums = np.empty(longest), np.zeros(longest + 1)
    weight = 1.0
    for step in range(longest):
        powers[step] = weight
        sums[step + 1] = sums[step] + weight
        weight *= discount
    return powers, sums


@numba.njit(cache=True)
def _total_weight(
    state_id: NDArray[np.int64],
    start: int,
    length: int,
    powers: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> float:
    """Weight of the steps that have a state."""
    missing = 0
    for step in range(start, start + length):
        missing += state_id[step] < 0
    if missing == 0:
        return sums[length]
    total = 0.0
    for step in range(length):
        if state_id[start + step] >= 0:
            total += powers[step]
    return total
