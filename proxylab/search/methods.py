"""Three ways to choose the next levels: at random, near the worst so far, and by an archive.

``elites`` is MAP-Elites (Mouret and Clune 2015, arXiv 1504.04909; pyribs, arXiv 2303.00191): the
worst level of every cell of a grid of measures, mutated. ``prioritised`` follows ACCEL
(Parker-Holder et al. 2022, arXiv 2203.01302): half of a batch are mutations of a buffer of the
worst levels, chosen by rank as in prioritised level replay (Jiang et al. 2021, arXiv
2010.03934); the other half is random.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from proxylab.screening.trigger_search import elites_scheduler

STEPS = (0.05, 0.3)
"""Standard deviations of near and far mutations in the unit cube."""
CELLS = 16
"""Cells of the archive along each measure."""
BUFFER = 256
"""Levels that ``prioritised`` keeps."""
TEMPERATURE = 0.3
"""Of the choice by rank: weight rank^(-1/T)."""

Points = NDArray[np.float64]


class Method(Protocol):
    """Proposes points and is told how bad their levels are."""

    def ask(self, count: int) -> Points:
        """float64[count, D] in [0, 1]."""
        ...

    def tell(self, points: Points, scores: NDArray[np.float64], places: Points) -> None:
        """Scores float64[K] (greater is worse) and measures float64[K, 2] of the points."""
        ...


class RandomSearch:
    """Uniform points."""

    def __init__(self, size: int, _ranges: Sequence[tuple[float, float]], seed: int) -> None:
        self.size, self.rng = size, np.random.default_rng(seed)

    def ask(self, count: int) -> Points:
        """float64[count, D] in [0, 1]."""
        return self.rng.random((count, self.size))

    def tell(self, points: Points, scores: NDArray[np.float64], places: Points) -> None:
        """Nothing is learnt."""


class Prioritised(RandomSearch):
    """Half random, half mutations of the worst levels so far."""

    def __init__(self, size: int, ranges: Sequence[tuple[float, float]], seed: int) -> None:
        super().__init__(size, ranges, seed)
        self.points, self.scores = np.empty((0, size)), np.empty(0)

    def ask(self, count: int) -> Points:
        """float64[count, D] in [0, 1]."""
        points = super().ask(count)
        if not len(self.points):
            return points
        weights = np.arange(1, len(self.points) + 1) ** (-1 / TEMPERATURE)
        half = count // 2
        chosen = self.rng.choice(len(self.points), half, p=weights / weights.sum())
        scales = self.rng.choice(STEPS, half)[:, None]
        moved = self.points[chosen] + scales * self.rng.normal(size=(half, self.size))
        points[:half] = np.clip(moved, 0, 1)
        return points

    def tell(self, points: Points, scores: NDArray[np.float64], places: Points) -> None:
        """Keep the worst ``BUFFER`` levels, worst first."""
        points, scores = np.concatenate([self.points, points]), np.append(self.scores, scores)
        order = np.argsort(-scores, kind="stable")[:BUFFER]
        self.points, self.scores = points[order], scores[order]


class Elites:
    """MAP-Elites with Gaussian mutations, by pyribs."""

    def __init__(self, size: int, ranges: Sequence[tuple[float, float]], seed: int) -> None:
        self.size, self.ranges, self.seed = size, ranges, seed
        self._scheduler: Any = None

    def ask(self, count: int) -> Points:
        """float64[count, D] in [0, 1]; ``count`` must not change."""
        if self._scheduler is None:
            dims = [CELLS] * len(self.ranges)
            given = (self.size, dims, list(self.ranges), STEPS, count, self.seed)
            self._scheduler = elites_scheduler(*given)
        return np.asarray(self._scheduler.ask(), np.float64)

    def tell(self, points: Points, scores: NDArray[np.float64], places: Points) -> None:
        """Fill the archive."""
        self._scheduler.tell(scores, places)


METHODS: dict[str, Callable[[int, Sequence[tuple[float, float]], int], Method]] = {
    "elites": Elites,
    "prioritised": Prioritised,
    "random": RandomSearch,
}
"""Name: function (dimension, ranges of the measures, seed) -> :class:`Method`."""
