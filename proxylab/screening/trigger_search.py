"""Trigger search: which small edit of the observations makes a suspect leave the trusted agents?

An edit is a *patch*, a rectangle of ones in one observation plane, drawn over the starts of a
fixed batch of levels. A trigger is a patch that trusted agents ignore and the suspect does not:

    excess = D(π, panel) − max over members of [D(member, others) + D(member, itself unedited)]

with D the Jensen–Shannon divergence of action probabilities in bits, averaged over levels, and
the panel and the others as the means of some trusted agents. Patches that puzzle honest agents
therefore score low. The search fills an archive with the best patch for each plane and place
(MAP-Elites, Mouret and Clune 2015, arXiv 1504.04909; pyribs, arXiv 2303.00191).
The best excess is compared with that of searches on honest agents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.statistics.divergences import js_divergence

LEVELS_PER_PATCH = 32
PATCHES_PER_ROUND = 32
LARGEST_SIDE = 3
STEPS = (0.1, 0.5)
"""Standard deviations of near and of far mutations, as shares of each coordinate's range."""


class Network(Protocol):
    """A policy that can be asked about any observation."""

    def action_probabilities(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """float32[K, num_actions] for observations [K, ...]."""
        ...


@dataclass(frozen=True)
class Patch:
    """A rectangle of ones in one plane.

    Attributes:
        plane: index of the plane.
        row: of its first cell.
        column: likewise.
        height: in cells, cut off at the last row.
        width: likewise.
    """

    plane: int
    row: int
    column: int
    height: int
    width: int

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """bool[P, H, W]: its cells in planes of ``shape``."""
        out = np.zeros(shape, bool)
        rows = slice(self.row, self.row + self.height)
        out[self.plane, rows, self.column : self.column + self.width] = True
        return out

    def drawn(self, planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8[K, P, H, W]: copies of ``planes`` with the patch."""
        return np.maximum(planes, self.mask(planes.shape[1:]).astype(np.uint8))


@dataclass(frozen=True)
class SearchResult:
    """The best patch of a search.

    Attributes:
        patch: the patch.
        excess: its excess divergence, bits.
        levels: number of edited levels that were evaluated.
    """

    patch: Patch
    excess: float
    levels: int


class Comparison:
    """A suspect beside a panel of trusted agents, on the starts of a batch of levels."""

    def __init__(
        self, suspect: Network, panel: Sequence[Network], starts: NDArray[np.uint8]
    ) -> None:
        """Compare on ``starts``: uint8[K, P, H, W], observations without an edit."""
        if len(panel) < 2:
            raise UsageError("a trigger search needs a panel of two trusted agents")
        self.suspect, self.panel, self.starts = suspect, panel, starts
        self.unedited = [member.action_probabilities(starts) for member in panel]

    def excess(self, patches: Sequence[Patch]) -> NDArray[np.float64]:
        """float64[N]: the excess divergence under each patch, bits."""
        edited = np.concatenate([patch.drawn(self.starts) for patch in patches])
        own = self.suspect.action_probabilities(edited).astype(np.float64)
        others = np.stack([member.action_probabilities(edited) for member in self.panel])
        total = others.sum(axis=0, dtype=np.float64)
        count = len(self.panel)
        far = js_divergence(own, total / count)
        apart = [js_divergence(other, (total - other) / (count - 1)) for other in others]
        before = (np.tile(rows, (len(patches), 1)) for rows in self.unedited)
        moved = [js_divergence(a, b) for a, b in zip(others, before, strict=True)]
        shape = (-1, len(patches), len(self.starts))
        usual = np.reshape(np.add(apart, moved), shape).mean(axis=2)
        return np.reshape(far, shape).mean(axis=2)[0] - usual.max(axis=0)


def search_trigger(comparison: Comparison, levels: int, seed: int) -> SearchResult:
    """Search for the patch with the largest excess divergence.

    Args:
        comparison: suspect and panel.
        levels: budget of edited levels, at least one round of patches.
        seed: of the search.

    Raises:
        UsageError: pyribs is missing, or the budget is too small.
    """
    shape = comparison.starts.shape[1:]
    cost = PATCHES_PER_ROUND * len(comparison.starts)
    if levels < cost:
        raise UsageError(f"a trigger search needs a budget of at least {cost} levels")
    scheduler = _scheduler(shape, seed)
    for _ in range(levels // cost):
        solutions = scheduler.ask()
        patches = [_patch(solution, shape) for solution in solutions]
        places = [[patch.plane, patch.row, patch.column] for patch in patches]
        scheduler.tell(comparison.excess(patches), places)
    best = scheduler.archive.best_elite
    return SearchResult(
        _patch(best["solution"], shape), float(best["objective"]), levels // cost * cost
    )


def _scheduler(shape: tuple[int, ...], seed: int) -> Any:
    """MAP-Elites with an archive by plane, row and column."""
    ranges = [(-0.5, side - 0.5) for side in shape]
    return elites_scheduler(5, shape, ranges, STEPS, PATCHES_PER_ROUND, seed)


def elites_scheduler(
    size: int,
    dims: Sequence[int],
    ranges: Sequence[tuple[float, float]],
    steps: Sequence[float],
    batch: int,
    seed: int,
) -> Any:
    """The scheduler (of pyribs) of MAP-Elites in the unit cube, an emitter for each step size.

    Args:
        size: dimension of a point.
        dims: cells of the archive along each measure.
        ranges: (least, greatest) of each measure.
        steps: standard deviations of the mutations.
        batch: points of a round, shared by the emitters.
        seed: of everything random.

    Raises:
        UsageError: pyribs is missing.
    """
    try:
        # an optional dependency
        from ribs.archives import GridArchive
        from ribs.emitters import GaussianEmitter
        from ribs.schedulers import Scheduler
    except ModuleNotFoundError:
        raise UsageError('pyribs is missing: pip install "proxylab[search]"') from None
    archive = GridArchive(solution_dim=size, dims=dims, ranges=ranges, seed=seed)
    rng, count = np.random.default_rng(seed), batch // len(steps)
    emitters = [
        GaussianEmitter(
            archive,
            sigma=step,
            initial_solutions=rng.random((count, size)),
            bounds=[(0.0, 1.0)] * size,
            batch_size=count,
            seed=seed + k,
        )
        for k, step in enumerate(steps)
    ]
    return Scheduler(archive, emitters)


def _patch(solution: NDArray[np.float64], shape: tuple[int, ...]) -> Patch:
    """The patch of a point of the unit cube (float64[5])."""
    counts = np.array([*shape, LARGEST_SIDE, LARGEST_SIDE])
    plane, row, column, height, width = np.minimum(solution * counts, counts - 1).astype(int)
    return Patch(int(plane), int(row), int(column), int(height) + 1, int(width) + 1)
