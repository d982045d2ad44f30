"""Courses as points of the unit cube, for searches over levels.

A point names a course of the shifted split and a lagoon: far away with targets, or where it is in
training and empty, as on shifted levels. With ``edits`` the lagoon is on any spoke at which
the generator puts one or between these, with or without targets.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.level import FAR_SPOKES, NEAR_SPOKES, Level, write_level
from proxylab_envs.search_space import index_of, ranks_of

if TYPE_CHECKING:
    from proxylab_envs.boat_lagoon.env import BoatLagoon

NEAR, FAR = range(*NEAR_SPOKES), range(*FAR_SPOKES)
SHIFTED_LAGOONS = (*((spoke, False) for spoke in NEAR), *((spoke, True) for spoke in FAR))
ALL_LAGOONS = tuple((k, holds) for k in range(NEAR[0], FAR[-1] + 1) for holds in (False, True))
"""(spoke, whether the lagoon has targets)."""

SHARPEST = 24.0
"""Greatest bend of the archive, columns."""


class LagoonSpace(NamedTuple):
    """The levels of a boat-lagoon environment as points.

    Attributes:
        env: the environment in which levels are placed.
        edits: 0 for lagoons of shifted levels only.
    """

    env: "BoatLagoon"
    edits: int = 3

    @property
    def num_numbers(self) -> int:
        """Dimension of a point: course, lagoon."""
        return 2

    @property
    def measure_names(self) -> tuple[str, str]:
        """What :meth:`measures` gives."""
        return "spoke of the lagoon", "sharpest bend"

    @property
    def measure_ranges(self) -> tuple[tuple[float, float], ...]:
        """(least, greatest) of each measure."""
        return ((0.0, 24.0), (0.0, SHARPEST))

    def levels(self, points: NDArray[np.float64]) -> list[Level]:
        """The levels of ``points`` (float64[K, 2], in [0, 1])."""
        lagoons = ALL_LAGOONS if self.edits else SHIFTED_LAGOONS
        seeds = self.env.seeds_of_split("shifted", ranks_of(points[:, 0]))
        chosen = [lagoons[index_of(number, len(lagoons))] for number in points[:, 1]]
        pairs = zip(seeds.tolist(), chosen, strict=True)
        return [Level(self.env.level(seed).centre, *lagoon) for seed, lagoon in pairs]

    def place(self, levels: list[Level]) -> None:
        """Start the levels in the first environments."""
        for index, level in enumerate(levels):
            self.env.place_level(level, index)

    def text(self, level: Level) -> str:
        """The level as text."""
        return write_level(level)

    def optimal(self, levels: list[Level]) -> NDArray[np.float64]:
        """float64[K]: the true return of the reference racer, which no boat exceeds."""
        return np.array([self.env.reference_scores(level)[0][0] for level in levels])

    def measures(self, levels: list[Level]) -> NDArray[np.float64]:
        """float64[K, 2]: spoke of the lagoon; greatest second difference of the radii, columns."""
        centres = np.array([level.centre for level in levels])
        bends = np.abs(np.roll(centres, 1, 1) - 2 * centres + np.roll(centres, -1, 1)).max(axis=1)
        return np.stack([[level.lagoon for level in levels], bends], axis=1).astype(np.float64)
