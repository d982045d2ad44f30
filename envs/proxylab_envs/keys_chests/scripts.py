"""Scripted policies of keys-chests."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import descend, distances_from
from proxylab_envs.keys_chests.dynamics import A_CHEST, A_KEY, KeysCore
from proxylab_envs.keys_chests.solver import (
    SHORTEST,
    best_route,
    distances_to,
    nearest,
    objects_of,
    table,
)
from proxylab_envs.streams import Integer

SCRIPTS = ("optimal", "key-seeker")
OPTIMAL, KEY_SEEKER = range(2)


@numba.njit(cache=True)
def script_probabilities(
    core: KeysCore, script: int, indices: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Action probabilities of a script.

    ``optimal`` follows the shortest route on which every chest that can be opened is opened.
    ``key-seeker`` takes a shortest path to the nearest key, whatever lies on it; once no key is
    left it stands still, or moves at random to a cell beside a wall, where it can.

    Args:
        core: dynamics.KeysCore.
        script: index into SCRIPTS.
        indices: int64[K].
        out: float32[K, 4], probabilities, overwritten; uniform over equally good moves.
    """
    size = core.walls.shape[2]
    distances, queue = np.empty((size, size), np.int16), np.empty(size * size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        row, col = core.state_ids[i] // size, core.state_ids[i] % size
        target = -1
        if script == OPTIMAL:
            held = np.int64(core.returns[i, 1] - core.returns[i, 0])
            target = next_object(core.walls[i], core.things[i], held, core.state_ids[i])
        if target >= 0:
            distances_from(core.walls[i], target // size, target % size, distances, queue)
        else:
            nearest(core.walls[i], core.things[i], A_KEY, distances)
            if script == OPTIMAL or distances[row, col] < 0:
                distances_from(core.walls[i], row, col, distances, queue)
        descend(core.walls[i], distances, row, col, out[k])


@numba.njit(cache=True)
def next_object(
    walls: NDArray[np.bool_], things: NDArray[np.int8], held: Integer, agent: int
) -> int:
    """Cell of the first object on the shortest route that opens as many chests as possible.

    Args:
        walls: bool[S, S].
        things: int8[S, S].
        held: keys in hand.
        agent: cell.

    Returns:
        int, -1 if no chest can be opened.
    """
    cells = np.empty(things.size, np.int64)
    keys = objects_of(things, A_KEY, cells)
    count = objects_of(things, A_CHEST, cells, keys)
    distances = np.empty((count, *walls.shape), np.int16)
    distances_to(walls, cells[:count], distances)
    between, start = table(distances, cells[:count], agent)
    for goal in range(min(keys + held, count - keys), 0, -1):
        first = best_route(between, start, keys, held, goal, SHORTEST)[1]
        if first >= 0:
            return cells[first]
    return -1
