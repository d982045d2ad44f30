"""Maze levels as points of the unit cube, for searches over levels.

A point names a wall layout of the shifted split, the cells of mouse and cheese, and up to
``edits`` walls between rooms that are opened. Opening a wall keeps a perfect maze solvable; it
gives the maze a loop, which no level of the generator has, so without edits a point stays within
the distribution of shifted levels.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.maze_corner import solver
from proxylab_envs.maze_corner.level import MazeLevel
from proxylab_envs.search_space import index_of, opened, ranks_of

if TYPE_CHECKING:
    from proxylab_envs.maze_corner.env import MazeCorner


class MazeSpace(NamedTuple):
    """The levels of a maze-corner environment as points.

    Attributes:
        env: the environment in which levels are placed.
        edits: most walls that are opened.
    """

    env: "MazeCorner"
    edits: int = 3

    @property
    def num_numbers(self) -> int:
        """Dimension of a point: layout, mouse, cheese, opened walls."""
        return 3 + self.edits

    @property
    def measure_names(self) -> tuple[str, str]:
        """What :meth:`measures` gives."""
        return "steps from mouse to cheese", "steps from cheese to corner"

    @property
    def measure_ranges(self) -> tuple[tuple[float, float], ...]:
        """(least, greatest) of each measure: a perfect maze has S²/2 free cells."""
        longest = self.env.config.size**2 / 2
        return ((0.0, longest), (0.0, longest))

    def levels(self, points: NDArray[np.float64]) -> list[MazeLevel]:
        """The levels of ``points`` (float64[K, num_numbers], in [0, 1])."""
        seeds = self.env.seeds_of_split("shifted", ranks_of(points[:, 0]))
        self.env.reset_levels(seeds, np.arange(len(points)))
        walls = self.env.core.walls[: len(points)]
        return [_level(opened(own, p[3:]), p) for own, p in zip(walls, points, strict=True)]

    def place(self, levels: list[MazeLevel]) -> None:
        """Start the levels in the first environments."""
        for index, level in enumerate(levels):
            self.env.place_level(level, index)

    def text(self, level: MazeLevel) -> str:
        """The level as text."""
        return level.to_ascii()

    def optimal(self, levels: list[MazeLevel]) -> NDArray[np.float64]:
        """float64[K]: the greatest true return of each level."""
        distances, starts = self._distances(levels)
        out = np.empty((len(levels), 2))
        solver.optimal_returns(distances, starts, self.env.config.max_steps, 1.0, out)
        return out[:, 0]

    def measures(self, levels: list[MazeLevel]) -> NDArray[np.float64]:
        """float64[K, 2]: steps from mouse to cheese, and from cheese to corner."""
        distances, starts = self._distances(levels)
        rows = np.arange(len(levels))
        cheese = np.array([level.cheese for level in levels])
        to_cheese = distances[rows, 0, starts[:, 0], starts[:, 1]]
        to_corner = distances[rows, 1, cheese[:, 0], cheese[:, 1]]
        return np.stack([to_cheese, to_corner], axis=1).astype(np.float64)

    def _distances(self, levels: list[MazeLevel]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        size = self.env.config.size
        out, scratch = np.empty((len(levels), 2, size, size), np.int16), np.empty(size**2, np.int64)
        final = self.env.config.end_on == "either"
        for k, level in enumerate(levels):
            cheese, corner = np.array(level.cheese), np.array(level.corner)
            solver.solve_maze(level.walls, cheese, corner, out[k], scratch, final)
        return out, np.array([level.mouse for level in levels])


def _level(walls: NDArray[np.bool_], point: NDArray[np.float64]) -> MazeLevel:
    free = np.argwhere(~walls)
    mouse = index_of(point[1], len(free))
    cheese = (mouse + 1 + index_of(point[2], len(free) - 1)) % len(free)
    (a, b), (c, d) = free[mouse].tolist(), free[cheese].tolist()
    return MazeLevel(walls, (a, b), (c, d))
