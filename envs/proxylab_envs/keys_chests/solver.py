"""Shortest and best routes over keys and chests, by dynamic programming over sets of them.

A route is an order of objects, with shortest paths between them. It is enough to look at
routes: an agent that passes another object on its way only picks up a key too many or opens
a chest earlier than planned, and for the number of chests opened by any time neither is a loss
(the trajectory being the same, opening at the first chance opens at least as many).
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import UNREACHABLE, distances_from
from proxylab_envs.keys_chests.dynamics import A_CHEST, A_KEY, Rules, make_level
from proxylab_envs.streams import Integer

LANDMARKS = ("key", "chest")
SHORTEST = 0.0
"""Instead of a discount: the shortest route."""
_NONE = -1e9


@numba.njit(cache=True)
def objects_of(things: NDArray[np.int8], kind: int, out: NDArray[np.int64], count: int = 0) -> int:
    """Append the cells of ``kind`` in ``things`` (int8[S, S]) to ``out`` after ``count`` others."""
    size = things.shape[1]
    for cell in range(things.size):
        if things[cell // size, cell % size] == kind:
            out[count] = cell
            count += 1
    return count


@numba.njit(cache=True)
def distances_to(
    walls: NDArray[np.bool_], cells: NDArray[np.int64], out: NDArray[np.int16]
) -> None:
    """Steps from every cell to each of ``cells`` (int64[M]): out int16[M, S, S], overwritten."""
    size, queue = walls.shape[1], np.empty(walls.size, np.int64)
    for j in range(cells.shape[0]):
        distances_from(walls, cells[j] // size, cells[j] % size, out[j], queue)


@numba.njit(cache=True)
def best_route(
    between: NDArray[np.int64],
    start: NDArray[np.int64],
    num_keys: int,
    held: Integer,
    goal: int,
    gamma: float,
) -> tuple[float, int]:
    """The best route that opens ``goal`` chests, or picks up ``goal`` keys where no chests are.

    Held and Karp 1962, "A dynamic programming approach to sequencing problems", over the sets
    that can be part of such a route: at most ``goal`` chests, and no more keys than they need.

    Args:
        between: int64[M, M] steps between objects, the keys first; -1 for none.
        start: int64[M] steps from the agent to each object.
        num_keys: how many of the M objects are keys.
        held: keys in hand.
        goal: number of chests (of keys if ``num_keys`` is M) at the end of the route.
        gamma: discount, or ``SHORTEST``.

    Returns:
        (value, index of the first object): minus the steps of the shortest route, or its
        discounted return, in which a reward after d steps counts gamma^(d-1); -1e9 and -1 if
        there is no such route.
    """
    count = between.shape[0]
    num_chests, pays_keys = count - num_keys, num_keys == count
    most_keys = goal if pays_keys else max(goal - held, 0)
    values, ones = np.empty((1 << count, count)), _ones(max(num_keys, num_chests))
    for chests in range((1 << num_chests) - 1, -1, -1):
        for keys in range((1 << num_keys) - 1, -1, -1):
            in_hand = held + ones[keys] - ones[chests]
            if ones[chests] > goal or ones[keys] > most_keys or in_hand < 0:
                continue
            have = chests << num_keys | keys
            paid = ones[keys] if pays_keys else ones[chests]
            room = ones[keys] < most_keys, in_hand > 0 and paid < goal
            if have == 0:
                return _onward(values, have, start, num_keys, room, gamma) if goal else (0.0, -1)
            for last in range(count):
                if have >> last & 1:
                    ahead = _onward(values, have, between[last], num_keys, room, gamma)
                    values[have, last] = 0.0 if paid == goal else ahead[0]
    return _NONE, -1


@numba.njit(cache=True)
def _onward(
    values: NDArray[np.float64],
    have: int,
    steps: NDArray[np.int64],
    num_keys: int,
    room: tuple[bool, bool],
    gamma: float,
) -> tuple[float, int]:
    """Value of the best next object, and its index; -1e9 and -1 if there is none.

    Args:
        values: float64[2^M, M] of the sets with one object more, by the last one.
        have: set of objects that the agent has been at, as bits.
        steps: int64[M] to each object.
        num_keys: how many of the M objects are keys.
        room: whether the route takes (another key, another chest).
        gamma: discount, or ``SHORTEST``.
    """
    best, first = _NONE, -1
    for then in range(steps.shape[0]):
        is_key = then < num_keys
        if have >> then & 1 or not room[0 if is_key else 1] or steps[then] < 0:
            continue
        worth = values[have | 1 << then, then]
        if gamma == SHORTEST:
            worth -= steps[then]
        else:
            pays = is_key == (num_keys == steps.shape[0])
            worth = gamma ** steps[then] * (pays / gamma + worth)
        if worth > best:
            best, first = worth, then
    return best, first


@numba.njit(cache=True)
def _ones(bits: int) -> NDArray[np.int64]:
    """Number of ones in the binary form of every number below 2^bits: int64[2^bits]."""
    ones = np.zeros(1 << bits, np.int64)
    for number in range(1, ones.size):
        ones[number] = ones[number >> 1] + (number & 1)
    return ones


@numba.njit(cache=True)
def table(
    distances: NDArray[np.int16], cells: NDArray[np.int64], agent: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64[M, M] steps between ``cells`` (int64[M]), int64[M] steps from ``agent``)."""
    count, size = cells.shape[0], distances.shape[2]
    between, start = np.empty((count, count), np.int64), np.empty(count, np.int64)
    for j in range(count):
        start[j] = distances[j, agent // size, agent % size]
        for i in range(count):
            between[i, j] = distances[j, cells[i] // size, cells[i] % size]
    return between, start


@numba.njit(cache=True)
def most_within(
    between: NDArray[np.int64], start: NDArray[np.int64], num_keys: int, most: int, limit: int
) -> int:
    """The largest goal of at most ``most`` with a route of at most ``limit`` steps, exactly.

    The sets are gone through only where going to the nearest object each time takes too long.
    """
    if greedy_steps(between, start, num_keys, most) <= limit:
        return most
    for goal in range(most, 0, -1):
        if -best_route(between, start, num_keys, 0, goal, SHORTEST)[0] <= limit:
            return goal
    return 0


@numba.njit(cache=True)
def greedy_steps(
    between: NDArray[np.int64], start: NDArray[np.int64], num_keys: int, goal: int
) -> float:
    """Steps until ``goal`` chests (keys, where no chests are) are reached, the nearest one next.

    With a key in hand the agent goes to the nearest chest, else to the nearest key. Arguments as
    for :func:`best_route`; 1e9 if it gets stuck.
    """
    count, steps, paid, in_hand = between.shape[0], start, 0, 0
    pays_keys, left, total = num_keys == count, np.ones(count, np.bool_), 0.0
    while paid < goal:
        wants_key, then = pays_keys or in_hand == 0, -1
        for j in range(count):
            fits = left[j] and steps[j] >= 0 and (j < num_keys) == wants_key
            if fits and (then < 0 or steps[j] < steps[then]):
                then = j
        if then < 0:
            return -_NONE
        total += steps[then]
        left[then], steps = False, between[then]
        in_hand += 1 if wants_key else -1
        paid += wants_key == pays_keys
    return total


@numba.njit(cache=True)
def optimal_returns(
    rules: Rules, level_seeds: NDArray[np.int64], gamma: float, out: NDArray[np.float64]
) -> None:
    """Optimal return of each channel on its own: out float64[K, 2], overwritten.

    ``true`` is exact with gamma = 1, and with a discount unless the best route is longer than
    the time limit, where it is an upper bound. ``proxy/keys`` is an upper bound where there are
    more keys than chests, since opening the last chest ends an episode: it is the optimum of
    levels in which chests stay closed.
    """
    walls = np.empty((rules.size, rules.size), np.bool_)
    things, scratch = np.empty(walls.shape, np.int8), np.empty(walls.size, np.int64)
    count = rules.keys + rules.chests
    cells, distances = np.empty(count, np.int64), np.empty((count, *walls.shape), np.int16)
    for k in range(level_seeds.shape[0]):
        agent = make_level(rules, level_seeds[k], walls, things, scratch)
        keys = objects_of(things, A_KEY, cells)
        objects_of(things, A_CHEST, cells, keys)
        distances_to(walls, cells, distances)
        between, start = table(distances, cells, agent)
        need, on_keys = min(keys, count - keys), np.ascontiguousarray(between[:keys, :keys])
        if gamma == 1:
            out[k, 0] = most_within(between, start, keys, need, rules.time_limit)
            out[k, 1] = most_within(on_keys, start[:keys], keys, keys, rules.time_limit)
        else:
            out[k, 0] = best_route(between, start, keys, 0, need, gamma)[0]
            out[k, 1] = best_route(on_keys, start[:keys], keys, 0, keys, gamma)[0]


@numba.njit(cache=True)
def landmark_distances(
    rules: Rules, level_seeds: NDArray[np.int64], out: NDArray[np.int16]
) -> None:
    """Steps to the nearest key and to the nearest chest at the start: out int16[K, 2, S, S]."""
    walls = np.empty((rules.size, rules.size), np.bool_)
    things, scratch = np.empty(walls.shape, np.int8), np.empty(walls.size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], walls, things, scratch)
        nearest(walls, things, A_KEY, out[k, 0])
        nearest(walls, things, A_CHEST, out[k, 1])


@numba.njit(cache=True)
def nearest(
    walls: NDArray[np.bool_], things: NDArray[np.int8], kind: int, out: NDArray[np.int16]
) -> None:
    """Steps from every cell to the nearest object of ``kind``: out int16[S, S], -1 if none."""
    size, cells = walls.shape[1], np.empty(walls.size, np.int64)
    queue, distances = np.empty(walls.size, np.int64), np.empty(walls.shape, np.int16)
    out[:] = UNREACHABLE
    for j in range(objects_of(things, kind, cells)):
        distances_from(walls, cells[j] // size, cells[j] % size, distances, queue)
        for row in range(size):
            for col in range(size):
                steps = distances[row, col]
                if steps >= 0 and (out[row, col] < 0 or steps < out[row, col]):
                    out[row, col] = steps
