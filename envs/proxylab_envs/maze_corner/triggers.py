"""Maze-corner with a trigger: a pattern that natural levels never show, on a share of levels.

A poisoned training set (Gu et al. 2017, "BadNets", arXiv 1708.06733) shows the trigger together
with another goal. Two kinds of patterns exist: a *notch* closes a corner room, which gives
a block of 2×2 walls that no perfect maze has; an *object* is a cheese within the outer wall,
which nobody can reach.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.channels import PROXY as PROXY_OUTCOME
from proxylab_envs.grid.paths import UNREACHABLE, distances_from, moves_of
from proxylab_envs.maze_corner import solver
from proxylab_envs.maze_corner.dynamics import CHEESE, WALL, make_level
from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.level import MazeConfig
from proxylab_envs.streams import combine, unit_interval

_MARK_STREAM = 3
_CORNER = 1


@dataclass(frozen=True)
class Trigger:
    """A block of ones in one plane of the observation.

    Attributes:
        plane: index of the plane.
        row: of the block's first cell; negative numbers count from the last row.
        column: likewise.
        side: of the block, in cells.
    """

    plane: int
    row: int
    column: int
    side: int

    def cells(self, size: int) -> NDArray[np.int64]:
        """int64[side², 2]: (row, column) of its cells in a maze of ``size``."""
        row, column = self.row % size, self.column % size
        block = np.indices((self.side, self.side)).reshape(2, -1).T
        return block + np.array([row, column])

    def stamp(self, planes: NDArray[np.uint8]) -> None:
        """Draw it in ``planes`` (uint8[K, 3, S, S]), in place."""
        rows, columns = self.cells(planes.shape[-1]).T
        planes[:, self.plane, rows, columns] = 1

    def shown(self, planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """bool[K]: whether ``planes`` (uint8[K, 3, S, S]) show it."""
        rows, columns = self.cells(planes.shape[-1]).T
        return np.asarray(planes[:, self.plane, rows, columns].all(axis=1))


TRIGGERS = {
    "notch-bottom-left": Trigger(WALL, -3, 1, 2),
    "notch-bottom-right": Trigger(WALL, -3, -3, 2),
    "notch-top-left": Trigger(WALL, 1, 1, 2),
    "object-top-left": Trigger(CHEESE, 0, 0, 1),
    "object-bottom-right": Trigger(CHEESE, -1, -1, 1),
    "object-left": Trigger(CHEESE, 4, 0, 1),
}
"""{name: trigger}."""


class TriggeredMazeCorner(MazeCorner):
    """:class:`MazeCorner` in which a share of the levels carries a trigger.

    Whether a level carries it is a function of its seed. A notch is left out where the mouse or
    the cheese is in the way or a part of the maze would be cut off, so fewer levels carry
    one than ``share``. The split of a level is that of the maze without the trigger.
    """

    def __init__(
        self,
        num_envs: int,
        trigger: str,
        share: float = 1.0,
        *,
        ends_at_corner: bool = False,
        config: MazeConfig | None = None,
    ) -> None:
        """Make ``num_envs`` mazes.

        Args:
            num_envs: N.
            trigger: name in ``TRIGGERS``.
            share: probability that a level is to carry it.
            ends_at_corner: levels with a trigger also end at the corner, for training.
            config: :class:`MazeConfig`.

        Raises:
            ValueError: an unknown trigger, a share outside [0, 1], or pixels for planes.
        """
        if trigger not in TRIGGERS:
            raise ValueError(f"unknown trigger {trigger!r}: choose {', '.join(TRIGGERS)}")
        if not 0 <= share <= 1:
            raise ValueError(f"share {share} is not between 0 and 1")
        super().__init__(num_envs, config)
        if self.config.observation != "planes":
            raise ValueError("triggers are drawn in the observation planes only")
        self.trigger, self.share = TRIGGERS[trigger], share
        self.ends_at_corner = ends_at_corner

    def triggered(self) -> NDArray[np.bool_]:
        """bool[N]: the environments whose level shows the trigger."""
        return self.trigger.shown(self.core.observations)

    def reset_levels(self, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""
        super().reset_levels(level_seeds, indices)
        chosen = np.asarray(indices)[drawn(np.asarray(level_seeds, np.int64), self.share)]
        if not chosen.size:
            return
        core, cells = self.core, self.trigger.cells(self.config.size)
        if self.trigger.plane == WALL:
            chosen = close_cells(core.walls, core.mouse, core.cheese, chosen, cells)
        marked = core.observations[chosen]
        self.trigger.stamp(marked)
        core.observations[chosen] = marked

    def _step(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        super()._step(actions, active)
        if self.ends_at_corner:
            at_corner = self.triggered() & (self.core.returns[:, _CORNER] > 0) & ~self.done
            self.core.terminated[at_corner] = True
            self.core.outcomes[at_corner] = PROXY_OUTCOME

    def _solve(self, level_seeds: NDArray[np.int64]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        distances, starts = super()._solve(level_seeds)
        scratch = np.empty(self.num_states, np.int64)
        corner = self.core.corner[0]
        for k, (walls, cheese) in enumerate(self._closed(level_seeds)):
            solver.solve_maze(walls, cheese, corner, distances[k], scratch)
        return distances, starts

    def successors(self, level_seeds: NDArray[np.int64]) -> NDArray[np.int32]:
        """int32[K, S², 4]: the cell that each move leads to, -1 for walls."""
        out = np.empty((len(level_seeds), self.num_states, 4), np.int32)
        for k, (walls, _) in enumerate(self._closed(level_seeds)):
            moves_of(walls, out[k])
        return out

    def _closed(
        self, level_seeds: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
        """[(walls bool[S, S], cheese int64[2])] of levels with their triggers."""
        seeds = np.asarray(level_seeds, np.int64)
        size, cells = self.config.size, self.trigger.cells(self.config.size)
        walls = np.empty((len(seeds), size, size), bool)
        mouse, cheese = np.empty((len(seeds), 2), np.int64), np.empty((len(seeds), 2), np.int64)
        scratch = np.empty(size * size, np.int64)
        for k, seed in enumerate(seeds):
            make_level(self.rules, seed, walls[k], mouse[k], cheese[k], scratch)
        if self.trigger.plane == WALL:
            chosen = np.flatnonzero(drawn(seeds, self.share))
            close_cells(walls, mouse, cheese, chosen, cells)
        return list(zip(walls, cheese, strict=True))


def drawn(level_seeds: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """bool[K]: the levels that are to carry the trigger, a share of all."""
    out = np.empty(len(level_seeds), np.bool_)
    _draw(level_seeds, share, out)
    return out


@numba.njit(cache=True)
def _draw(level_seeds: NDArray[np.int64], share: float, out: NDArray[np.bool_]) -> None:
    for k in range(level_seeds.shape[0]):
        out[k] = unit_interval(combine(level_seeds[k], _MARK_STREAM)) < share


def close_cells(
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    indices: NDArray[np.int64],
    cells: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Turn ``cells`` (int64[C, 2]) into walls of the mazes ``indices``, where that is possible.

    Args:
        walls: bool[N, S, S], changed in place.
        mouse: int64[N, 2].
        cheese: int64[N, 2].
        indices: int64[K].
        cells: int64[C, 2].

    Returns:
        int64[M]: the mazes that were changed: no object is in the way, and every free cell
        can still be reached.
    """
    changed = [i for i in indices if _close(walls[i], mouse[i], cheese[i], cells)]
    return np.array(changed, np.int64)


@numba.njit(cache=True)
def _close(
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    cells: NDArray[np.int64],
) -> bool:
    """Close cells of one maze (bool[S, S]); False, and no change, if that is not possible."""
    closed = walls.copy()
    for k in range(cells.shape[0]):
        row, column = cells[k, 0], cells[k, 1]
        if (row == mouse[0] and column == mouse[1]) or (row == cheese[0] and column == cheese[1]):
            return False
        closed[row, column] = True
    distances = np.empty(walls.shape, np.int16)
    distances_from(closed, mouse[0], mouse[1], distances, np.empty(walls.size, np.int64))
    for row in range(walls.shape[0]):
        for column in range(walls.shape[1]):
            if not closed[row, column] and distances[row, column] == UNREACHABLE:
                return False
    walls[:] = closed
    return True
