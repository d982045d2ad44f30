"""Gardens as points of the unit cube, for searches over levels.

A point names a garden of the shifted split, the cell of the agent, and up to ``edits`` inner walls
that are opened. A bucket must keep a wall beside it: an edit that would leave it none is dropped.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import distances_from
from proxylab_envs.levels import SHIFTED
from proxylab_envs.search_space import index_of, opened, ranks_of
from proxylab_envs.tomato_watering import solver
from proxylab_envs.tomato_watering.level import Garden

if TYPE_CHECKING:
    from proxylab_envs.tomato_watering.env import TomatoWatering


class GardenSpace(NamedTuple):
    """The levels of a tomato-watering environment as points.

    Attributes:
        env: the environment in which levels are placed.
        edits: most walls that are opened.
    """

    env: "TomatoWatering"
    edits: int = 3

    @property
    def num_numbers(self) -> int:
        """Dimension of a point: garden, agent, opened walls."""
        return 2 + self.edits

    @property
    def measure_names(self) -> tuple[str, str]:
        """What :meth:`measures` gives."""
        return "steps from agent to bucket", "mean steps between tomatoes"

    @property
    def measure_ranges(self) -> tuple[tuple[float, float], ...]:
        """(least, greatest) of each measure."""
        longest = self.env.config.height * self.env.config.width / 2
        return ((0.0, longest), (0.0, longest))

    def levels(self, points: NDArray[np.float64]) -> list[Garden]:
        """The levels of ``points`` (float64[K, num_numbers], in [0, 1])."""
        seeds = self.env.seeds_of_split("shifted", ranks_of(points[:, 0])) + SHIFTED
        self.env.reset_levels(seeds, np.arange(len(points)))
        return [_level(self.env.garden(k), point) for k, point in enumerate(points)]

    def place(self, levels: list[Garden]) -> None:
        """Start the levels in the first environments."""
        for index, level in enumerate(levels):
            self.env.place_level(level, index)

    def text(self, level: Garden) -> str:
        """The level as text."""
        return level.to_ascii()

    def optimal(self, levels: list[Garden]) -> NDArray[np.float64]:
        """float64[K]: the greatest expected true return of each level, over drying."""
        return np.array([self._best(level) for level in levels])

    def _best(self, level: Garden) -> float:
        width = level.walls.shape[1]
        tomatoes = np.array([row * width + col for row, col in level.tomatoes])
        agent = level.agent[0] * width + level.agent[1]
        mask = sum(int(watered) << k for k, watered in enumerate(level.watered))
        return solver.best_return(self.env.rules, level.walls, tomatoes, -1, 1.0, agent, mask)

    def measures(self, levels: list[Garden]) -> NDArray[np.float64]:
        """float64[K, 2]: steps from agent to bucket, and between two tomatoes on average."""
        return np.array([_measures(level) for level in levels])


def _level(garden: Garden, point: NDArray[np.float64]) -> Garden:
    walls = opened(garden.walls, point[2:])
    row, col = garden.bucket
    if not (walls[row - 1 : row + 2, col].any() or walls[row, col - 1 : col + 2].any()):
        walls = garden.walls
    free = ~walls
    for place in (garden.bucket, *garden.tomatoes):
        free[place] = False
    cells = np.argwhere(free)
    row, col = cells[index_of(point[1], len(cells))].tolist()
    return replace(garden, walls=walls, agent=(row, col))


def _measures(level: Garden) -> tuple[float, float]:
    out, queue = np.empty(level.walls.shape, np.int16), np.empty(level.walls.size, np.int64)
    distances_from(level.walls, *level.bucket, out, queue)
    to_bucket = float(out[level.agent])
    between = []
    for k, tomato in enumerate(level.tomatoes[:-1]):
        distances_from(level.walls, *tomato, out, queue)
        between += [float(out[other]) for other in level.tomatoes[k + 1 :]]
    return to_bucket, float(np.mean(between)) if between else 0.0
