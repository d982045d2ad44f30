"""A cheap baseline: two statistics per episode."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.scores.kernel_two_sample import feature_scale
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.visitation import discounted_visitation

SMALLEST_SPREAD = 0.01
"""Least standard deviation of a statistic over reference episodes."""

_SAME = 1e-18


class EpisodeMeans(NamedTuple):
    """Mean states of reference episodes.

    Attributes:
        levels: int64[L], ascending.
        scale: float64[F] that features are divided by; None where states are one-hot.
        mean: float64[L, F], over the reference episodes of each level.
        episodes: list of float64[n_l, F], the mean state of each reference episode.
        bandwidth: σ of the similarity.
        centre: float64[2], mean of both statistics over reference episodes.
        spread: float64[2], their standard deviations.
    """

    levels: NDArray[np.int64]
    scale: NDArray[np.float64] | None
    mean: NDArray[np.float64]
    episodes: list[NDArray[np.float64]]
    bandwidth: float
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True)
class EpisodeMean:
    """An episode's mean state, and its similarity to the reference ones, level by level.

    Access L (logs: states or features). Unit: standard deviations. With μ_e the mean over
    the steps of episode e of the state's description (its features, each over its standard
    deviation; where there are none, the one-hot state) and μ_f those of the reference
    episodes on the same level, m_l their mean:

        a_e = ‖μ_e − m_l‖,    b_e = 1 − mean over f of exp(−‖μ_e − μ_f‖²/(2σ²))
        score = mean over e of (a_e − ā)/s_a + (b_e − b̄)/s_b

    σ is the median distance of two different reference means on one level. ā, b̄, s_a, s_b
    are the mean and standard deviation of a and b over reference episodes, each computed against
    the others of its level.

    Source: DEEDEE, Aljaafari, Kanade, Torr, Schroeder de Witt 2025, arXiv 2510.21638: an
    episodewise mean and an RBF similarity to a summary of the training episodes, designed
    to detect changed dynamics. The pairing by level and the sum of both are ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "deedee"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "standard deviations"
    source: ClassVar[str] = "DEEDEE, arXiv 2510.21638; by level here"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> EpisodeMeans:
        """The :class:`EpisodeMeans` of reference policies (list[Episodes]); ``task`` is not used.

        Raises:
            NotApplicable: neither features nor states, or a level with one episode only.
        """
        pooled = concatenate(reference, "reference")
        scale = feature_scale(pooled) if pooled.features.shape[1] else None
        means = _means(pooled, scale, self.name)
        levels, rows, count = np.unique(pooled.level_seed, return_inverse=True, return_counts=True)
        if count.min() < 2:
            raise NotApplicable(f"{self.name} needs two reference episodes on every level")
        order = np.argsort(rows, kind="stable")
        episodes = np.split(means[order], np.cumsum(count)[:-1])
        centre = np.stack([group.mean(axis=0) for group in episodes])
        bandwidth = _bandwidth(episodes)
        own = np.concatenate([_left_out(group, bandwidth) for group in episodes])
        spread = np.maximum(own.std(axis=0), SMALLEST_SPREAD)
        return EpisodeMeans(levels, scale, centre, episodes, bandwidth, own.mean(axis=0), spread)

    def per_episode(self, state: EpisodeMeans, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], the two standardised statistics of every episode, added."""
        rows = level_rows(state.levels, suspect)
        means = _means(suspect, state.scale, self.name)
        statistics = [
            _statistics(mean, state.episodes[row], state.mean[row], state.bandwidth)
            for mean, row in zip(means, rows, strict=True)
        ]
        return ((np.array(statistics) - state.centre) / state.spread).sum(axis=1)

    def score(self, state: EpisodeMeans, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


def _means(episodes: Episodes, scale: NDArray[np.float64] | None, name: str) -> NDArray[np.float64]:
    """float64[E, F], mean description of the states of each episode."""
    if scale is None:
        require_states(episodes, name)
        return discounted_visitation(
            episodes.state_id, episodes.episode_offsets, episodes.num_states, 1.0
        )
    if episodes.features.shape[1] != len(scale):
        raise NotApplicable(f"{name} needs features; {episodes.policy} has other ones or none")
    sums = np.add.reduceat(episodes.features.astype(np.float64), episodes.episode_offsets[:-1])
    return sums / episodes.lengths[:, None] / scale


def _squares(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N, M], squared distances of float64[N, F] and float64[M, F]."""
    return ((rows[:, None] - columns[None]) ** 2).sum(axis=2)


def _statistics(
    mean: NDArray[np.float64],
    others: NDArray[np.float64],
    centre: NDArray[np.float64],
    bandwidth: float,
) -> tuple[float, float]:
    """(a, b) of one episode against ``others`` (float64[n, F]), whose mean is ``centre``."""
    similarity = np.exp(-0.5 * _squares(mean[None], others) / bandwidth**2).mean()
    return np.sqrt(((mean - centre) ** 2).sum()), 1 - similarity


def _left_out(group: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """float64[n, 2], the statistics of each of a level's episodes against the others."""
    count = len(group)
    away = np.sqrt(((group - group.mean(axis=0)) ** 2).sum(axis=1)) * count / (count - 1)
    similarity = np.exp(-0.5 * _squares(group, group) / bandwidth**2).sum(axis=1) - 1
    return np.stack([away, 1 - similarity / (count - 1)], axis=1)


def _bandwidth(episodes: list[NDArray[np.float64]]) -> float:
    """Median distance of different reference means on one level; 1 where all are the same."""
    pairs = [_squares(group, group)[np.triu_indices(len(group), 1)] for group in episodes]
    squares = np.concatenate(pairs)
    different = squares[squares > _SAME]
    return float(np.sqrt(np.median(different))) if len(different) else 1.0
