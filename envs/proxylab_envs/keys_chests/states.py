"""All states of a keys-chests level: the agent's cell, and which keys and chests are left.

The keys in hand follow from what is left, since all but the spent ones are in hand.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.keys_chests.dynamics import A_CHEST, A_KEY
from proxylab_envs.keys_chests.solver import objects_of


class LevelStates(NamedTuple):
    """The states that can be reached from a level's start, and their moves.

    A state's number is ``left`` · S² + cell; bit j of ``left`` tells that object j is left, the
    keys first, in the order of their cells.

    Attributes:
        moves: int64[2^M · S², 4], number of the state that each action leads to, -1 in the rows
            of states that cannot be reached. States in which an episode is over have moves too.
        held: int64[2^M · S²], keys in hand; 0 in those rows.
        over: bool[2^M · S²], no pair of a key and a closed chest is left: an episode ends.
        start: number of the start.
        cells: S².
    """

    moves: NDArray[np.int64]
    held: NDArray[np.int64]
    over: NDArray[np.bool_]
    start: int
    cells: int


@numba.njit(cache=True)
def level_states(
    cell_moves: NDArray[np.int32], things: NDArray[np.int8], agent: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], int, int]:
    """The fields of :class:`LevelStates`, by breadth-first search.

    Args:
        cell_moves: int32[S², 4], the cell that each move leads to.
        things: int8[S, S], keys and closed chests.
        agent: cell of the agent, on which nothing lies.
    """
    cells, num_cells = np.empty(things.size, np.int64), things.size
    num_keys = objects_of(things, A_KEY, cells)
    count = objects_of(things, A_CHEST, cells, num_keys)
    need = min(num_keys, count - num_keys)
    size = num_cells << count
    moves, held = np.full((size, 4), -1, np.int64), np.zeros(size, np.int64)
    over, queue = np.zeros(size, np.bool_), np.empty(size, np.int64)
    start = ((1 << count) - 1) * num_cells + agent
    queue[0], first, last = start, 0, 1
    moves[start, 0] = start  # seen
    while first < last:
        state = queue[first]
        first += 1
        left, cell = state // num_cells, state % num_cells
        picked, opened = 0, 0
        for j in range(count):
            if not left >> j & 1:
                picked += j < num_keys
                opened += j >= num_keys
        held[state], over[state] = picked - opened, opened == need
        for action in range(4):
            there, then = cell_moves[cell, action], left
            for j in range(count):
                if cells[j] == there and (j < num_keys or picked > opened):
                    then &= ~(1 << j)
            onward = then * num_cells + there
            if moves[onward, 0] < 0:
                moves[onward, 0] = onward
                queue[last] = onward
                last += 1
            moves[state, action] = onward
    return moves, held, over, start, num_cells
