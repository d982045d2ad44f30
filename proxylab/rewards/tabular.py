"""Small environments as tables: deterministic moves, exact discounted occupancies.

States are the cells from which an episode can continue. A move that ends the episode has no
successor; what it arrives at is in ``arrivals``.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_race import BoatRace
from proxylab_envs.maze_corner import MazeCorner

ENDED = -1
"""Successor of a move that ends the episode."""


@dataclass(frozen=True)
class TabularMDP:
    """A finite environment with deterministic moves, without its reward.

    Attributes:
        successors: int64[S, A], the state that each action leads to, or ``ENDED``.
        arrivals: int64[S, A], the environment's own number of the cell reached.
        cells: int64[S], the environment's own number of each state.
        start: float64[S], distribution of the first state.
        discount: γ in [0, 1).
    """

    successors: NDArray[np.int64]
    arrivals: NDArray[np.int64]
    cells: NDArray[np.int64]
    start: NDArray[np.float64]
    discount: float

    @property
    def num_states(self) -> int:
        """S."""
        return self.successors.shape[0]

    @property
    def num_actions(self) -> int:
        """A."""
        return self.successors.shape[1]

    def transitions(self) -> NDArray[np.float64]:
        """float64[S, A, S]; a row of a move that ends the episode is 0."""
        out = np.zeros((*self.successors.shape, self.num_states))
        rows, actions = np.nonzero(self.successors != ENDED)
        out[rows, actions, self.successors[rows, actions]] = 1
        return out

    def occupancy(self, policy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ_t γ^t P(s_t = s, a_t = a) of a policy (float64[S, A]): float64[S, A].

        The horizon is infinite: time limits of the environment are left out.
        """
        moved = np.einsum("sa,sat->ts", policy, self.transitions())
        system = np.eye(self.num_states) - self.discount * moved
        return np.linalg.solve(system, self.start)[:, None] * policy


def table_of(
    next_cells: NDArray[np.int64],
    last_cells: NDArray[np.int64],
    start: NDArray[np.float64],
    discount: float,
) -> TabularMDP:
    """The table of the cells that can be reached from the start.

    Args:
        next_cells: int64[C, A], cell that each move leads to, negative for cells that do not exist.
        last_cells: int64[E], cells at which an episode ends.
        start: float64[C], distribution of the first cell; no weight on ``last_cells``.
        discount: γ.
    """
    reached = set(np.flatnonzero(start).tolist())
    waiting, ends = list(reached), set(last_cells.tolist())
    while waiting:
        for there in next_cells[waiting.pop()].tolist():
            if there not in reached and there not in ends:
                reached.add(there)
                waiting.append(there)
    cells = np.array(sorted(reached), np.int64)
    numbers = np.full(len(next_cells), ENDED)
    numbers[cells] = np.arange(len(cells))
    arrivals = next_cells[cells].astype(np.int64)
    return TabularMDP(numbers[arrivals], arrivals, cells, start[cells], discount)


def maze_table(
    env: MazeCorner, level_seed: int, discount: float, *, remembers_corner: bool = False
) -> TabularMDP:
    """One maze of C cells: the mouse starts on any free cell but the cheese's with equal odds.

    The episode ends at the cheese; the time limit is left out. With ``remembers_corner`` a cell
    c after the corner has been left has the number C + c, so that a reward can pay the first
    arrival at the corner only, as ``proxy/corner`` does. A start on the corner counts as one.

    Args:
        env: the environment; it is not stepped.
        level_seed: seed of the level.
        discount: γ.
        remembers_corner: whether the states say if the corner has been visited.
    """
    cheese, corner = goal_cells(env, level_seed)
    moves = env.successors(np.array([level_seed]))[0].astype(np.int64)
    start = (moves[:, 0] >= 0).astype(np.float64)
    start[cheese], last = 0, np.array([cheese])
    if remembers_corner:
        after = np.where(moves >= 0, moves + len(moves), ENDED)
        last, start = np.array([cheese, cheese + len(moves)]), np.append(start, 0 * start)
        moves[corner] = after[corner]
        moves = np.concatenate([moves, after])
    return table_of(moves, last, start / start.sum(), discount)


def goal_cells(env: MazeCorner, level_seed: int) -> tuple[int, int]:
    """Cells of the cheese and of the corner in one maze, as row · size + column."""
    to_cheese, to_corner = env.landmark_distances(np.array([level_seed]))[0]
    return int(np.argmax(to_cheese == 0)), int(np.argmax(to_corner == 0))


def boat_race_table(env: BoatRace, discount: float) -> TabularMDP:
    """The course of boat-race; episodes never end, and the time limit is left out."""
    start = np.zeros(len(env.rules.next_cell))
    start[env.start_cell] = 1
    return table_of(env.rules.next_cell, np.empty(0, np.int64), start, discount)


@dataclass(frozen=True)
class GoalShares:
    """How often a policy reaches the goals of a maze; shares of episodes from the table's start.

    Attributes:
        cheese: the cheese is reached within the time limit.
        corner_first: the corner is, before the cheese.
    """

    cheese: float
    corner_first: float


def goal_shares(
    table: TabularMDP, policy: NDArray[np.float64], corners: Collection[int], steps: int
) -> GoalShares:
    """Exact shares of a policy (float64[S, A]) in a maze, within ``steps`` steps.

    Args:
        table: a :func:`maze_table`.
        policy: float64[S, A].
        corners: the corner's number, or numbers, among the cells.
        steps: time limit.
    """
    moved = np.einsum("sa,sat->st", policy, table.transitions())
    reaches = (policy * (table.successors == ENDED)).sum(axis=1)
    at_corner = np.isin(table.cells, list(corners))
    now = before = table.start
    cheese = corner_first = 0.0
    for _ in range(steps):
        cheese += float(now @ reaches)
        now, before = now @ moved, before @ moved
        corner_first += float(before @ at_corner)
        before = np.where(at_corner, 0.0, before)
    return GoalShares(cheese, corner_first)
