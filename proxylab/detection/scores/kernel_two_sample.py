"""Kernel distances between the states of a suspect and of trusted policies, level by level."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.planning import distances_to_states
from proxylab.statistics.two_sample import (
    PERMUTATIONS,
    PermutationTest,
    block_means,
    group_means,
    kernel_code,
    median_distance,
    own_blocks,
    permute_blocks,
)
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation

STATES_EACH = 32
"""Largest number of states of an episode in a kernel on features, evenly spaced."""

BANDWIDTH_STATES = 1000
"""Number of reference states whose median distance is the bandwidth, evenly spaced."""


class CellReference(NamedTuple):
    """Reference policies where states have an index and no features.

    Attributes:
        levels: int64[L], ascending.
        pooled: Episodes of all reference policies.
        walks: int16[L, S, S], twice the steps between two states; None for 0 or 1.
        visits: float64[L, S], q, pooled visitation.
        toward: float64[L, S], K q.
        among: float64[L], qᵀ K q.
    """

    levels: NDArray[np.int64]
    pooled: Episodes
    walks: NDArray[np.int16] | None
    visits: NDArray[np.float64]
    toward: NDArray[np.float64]
    among: NDArray[np.float64]

    def per_episode(self, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], pᵀKp − 2 pᵀKq + qᵀKq."""
        rows, visits = level_rows(self.levels, suspect), _visits(suspect)
        across = (visits * self.toward[rows]).sum(axis=1)
        own = [v @ _smoothed(self.walks, row, v) for row, v in zip(rows, visits, strict=True)]
        return np.array(own) - 2 * across + self.among[rows]

    def blocks(self, both: Episodes) -> NDArray[np.float64]:
        """Blocks of the episodes on each level: float64[E, E]."""
        rows, visits = level_rows(self.levels, both), _visits(both)
        out = np.zeros((len(rows), len(rows)))
        for row in np.unique(rows):
            here = np.flatnonzero(rows == row)
            smooth = np.stack([_smoothed(self.walks, row, visits[e]) for e in here])
            out[np.ix_(here, here)] = smooth @ visits[here].T
        return out


class PointReference(NamedTuple):
    """Reference policies where states have features.

    Attributes:
        levels: int64[L], ascending.
        pooled: Episodes of all reference policies, sorted by level.
        scale: float64[F], standard deviation of each feature over their states.
        kernel: (code, 1/(2σ²)) as the compiled functions take it.
        bandwidth: σ, in standard deviations.
        points: float64[U, F], their states, thinned.
        offsets: int64[N+1], first state of each of their episodes.
        first: int64[L+1], first episode of each level.
        among: float64[L], mean block of two reference episodes.
    """

    levels: NDArray[np.int64]
    pooled: Episodes
    scale: NDArray[np.float64]
    kernel: tuple[int, float]
    bandwidth: float
    points: NDArray[np.float64]
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]
    among: NDArray[np.float64]

    def per_episode(self, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], B_ee − 2 mean B_ef + mean B_fg."""
        rows, (points, offsets) = level_rows(self.levels, suspect), thinned(suspect, self.scale)
        across = group_means(
            points, offsets, rows, self.points, self.offsets, self.first, *self.kernel
        )
        return own_blocks(points, offsets, *self.kernel) - 2 * across + self.among[rows]

    def blocks(self, both: Episodes) -> NDArray[np.float64]:
        """Blocks of the episodes on each level: float64[E, E]."""
        points, offsets = thinned(both, self.scale)
        kernel = ("gaussian", "distance")[self.kernel[0]]
        return block_means(points, offsets, level_rows(self.levels, both), kernel, self.bandwidth)


@dataclass(frozen=True)
class KernelDistance:
    """Squared distance of state distributions in a kernel's space, level by level.

    Access L (logs: states or features). Unit: that of the kernel. Formula, with x, x' states
    of the suspect's episode e and y, y' those of all reference episodes on the same level:

        score = mean over e of  E k(x, x') − 2 E k(x, y) + E k(y, y')

    the expectations over pairs of states, every episode with equal weight (V-statistics, so
    at least 0 for a positive definite k). Levels are paired and never mixed: a state is
    the pair (level, state), and states of different levels are not compared.

    What is compared: the features where a task has them, each divided by its standard
    deviation over reference states, at most 32 evenly spaced states an episode; otherwise
    the state index.

    - ``gaussian``: on features k = exp(−‖x − y‖²/(2σ²)), σ the median distance of reference
      states. On an index k = 1 for the same state and 0 otherwise (a Gaussian kernel on
      one-hot states is an affine function of that): Σ_s (p(s) − q(s))².
    - ``distance``: k = −d, which makes it the energy distance. On features d is Euclidean.
      On an index d is the number of steps between two states on the level's map, the mean of
      both ways, so a detour of one cell counts less than another goal; it is a distance
      of negative type on trees and on open grids, and approximately so on maps with obstacles,
      where a score may be below 0. Without a map d is 0 or 1, and the score is that of
      ``gaussian``.

    Source: MMD, Gretton et al. 2012, JMLR 13, p. 723, equation 5 and section 8 (bandwidth);
    energy distance, Székely and Rizzo 2013, J. Stat. Plan. Inference 143, p. 1249.

    Attributes:
        name: in tables and on the command line.
        kernel: ``gaussian`` or ``distance``.
    """

    name: str
    kernel: str
    access: ClassVar[str] = "L"
    higher_is: ClassVar[str] = "more anomalous"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return {"gaussian": "squared MMD", "distance": "steps or standard deviations"}[self.kernel]

    @property
    def source(self) -> str:
        """Where the score comes from."""
        return {
            "gaussian": "MMD, Gretton et al. 2012, JMLR 13; by level and episode here",
            "distance": "energy distance, Székely and Rizzo 2013; by level and episode here",
        }[self.kernel]

    def fit(self, reference: list[Episodes], task: TaskView) -> CellReference | PointReference:
        """Pool the reference policies (list[Episodes]); ``task`` gives the map of each level."""
        pooled = concatenate(reference, "reference")
        if pooled.features.shape[1]:
            return _fit_points(pooled, self.kernel)
        require_states(pooled, self.name)
        return _fit_cells(pooled, self.kernel, task, self.name)

    def per_episode(
        self, state: CellReference | PointReference, suspect: Episodes
    ) -> NDArray[np.float64]:
        """float64[E], the squared distance of every episode from the trusted on its level."""
        if isinstance(state, CellReference):
            require_states(suspect, self.name)
        return state.per_episode(suspect)

    def score(
        self, state: CellReference | PointReference, suspect: Episodes, rng: np.random.Generator
    ) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def permutation_test(
        self,
        state: CellReference | PointReference,
        suspect: Episodes,
        rng: np.random.Generator,
        permutations: int = PERMUTATIONS,
    ) -> PermutationTest:
        """Are the suspect's episodes exchangeable with the reference ones, level by level?

        Labels of whole episodes are permuted within each level. The null is "one policy",
        which two honest seeds do not satisfy: the test separates policies and is no evidence of
        gaming; verdicts use the calibration policies' scores instead.

        Returns:
            :class:`~proxylab.statistics.two_sample.PermutationTest`.
        """
        both = concatenate([suspect, state.pooled])
        chosen = np.arange(both.num_episodes) < suspect.num_episodes
        played = np.isin(both.level_seed, suspect.level_seed)
        both, chosen = both.select(np.flatnonzero(played)), chosen[played]
        return permute_blocks(state.blocks(both), chosen, rng, both.level_seed, permutations)


def thinned(
    episodes: Episodes, scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(float64[U, F] features over ``scale``, int64[E+1] offsets): ``STATES_EACH`` or fewer.

    Raises:
        NotApplicable: the number of features is not that of ``scale`` (float64[F]).
    """
    if episodes.features.shape[1] != len(scale):
        count = episodes.features.shape[1]
        raise NotApplicable(f"{episodes.policy} has {count} features, the reference {len(scale)}")
    taken = np.minimum(episodes.lengths, STATES_EACH)
    offsets = np.concatenate([[0], np.cumsum(taken)])
    step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], taken)
    stride = np.repeat(episodes.lengths / taken, taken)
    rows = np.repeat(episodes.episode_offsets[:-1], taken) + np.floor(step * stride).astype(int)
    return episodes.features[rows].astype(np.float64) / scale, offsets


def feature_scale(episodes: Episodes) -> NDArray[np.float64]:
    """float64[F], standard deviation of each feature over all states; 1 where it is constant."""
    spread = episodes.features.std(axis=0, dtype=np.float64)
    return np.where(spread > 0, spread, 1.0)


def _fit_points(pooled: Episodes, kernel: str) -> PointReference:
    pooled = pooled.select(np.argsort(pooled.level_seed, kind="stable"))
    levels, rows, count = np.unique(pooled.level_seed, return_inverse=True, return_counts=True)
    scale, first = feature_scale(pooled), np.concatenate([[0], np.cumsum(count)])
    points, offsets = thinned(pooled, scale)
    few = np.linspace(0, len(points) - 1, min(len(points), BANDWIDTH_STATES)).astype(int)
    bandwidth = median_distance(points[few]) or 1.0
    code = kernel_code(kernel, bandwidth)
    means = group_means(points, offsets, rows, points, offsets, first, *code)
    among = np.add.reduceat(means, first[:-1]) / count
    return PointReference(
        levels, pooled, scale, code, float(bandwidth), points, offsets, first, among
    )


def _fit_cells(pooled: Episodes, kernel: str, task: TaskView, name: str) -> CellReference:
    levels, rows = np.unique(pooled.level_seed, return_inverse=True)
    walks = None
    if kernel == "distance" and task.successors is not None:
        walks = np.stack([_walks(task.successors[row]) for row in task.rows(levels, name)])
    visits = pooled_visitation(
        pooled.state_id, pooled.episode_offsets, rows, len(levels), pooled.num_states, 1.0
    )
    toward = np.stack([_smoothed(walks, row, visits[row]) for row in range(len(levels))])
    return CellReference(levels, pooled, walks, visits, toward, (visits * toward).sum(axis=1))


def _walks(successors: NDArray[np.int32]) -> NDArray[np.int16]:
    """int16[S, S], steps there and back; one more than the largest where neither is possible."""
    steps = distances_to_states(successors[None])[0]
    both = (steps >= 0) & (steps.T >= 0)
    known = np.where(steps >= 0, steps, steps.T)
    total = np.where(both, steps + steps.T, np.where(known >= 0, 2 * known, 2 * steps.max() + 2))
    return total.astype(np.int16)


def _smoothed(
    walks: NDArray[np.int16] | None, row: int, visits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """K v on a level for v = ``visits`` (float64[S]): v itself, or −d v where walks are known."""
    if walks is None:
        return visits
    seen = np.flatnonzero(visits)
    return -0.5 * (walks[row][:, seen] @ visits[seen])


def _visits(episodes: Episodes) -> NDArray[np.float64]:
    return discounted_visitation(
        episodes.state_id, episodes.episode_offsets, episodes.num_states, 1.0
    )
