"""The shape of trajectories: share of the suspect's that are outliers of the trusted ones."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.paths import nearest_approaches, path_features

RIDGE = 1e-4
"""Added to the variance of every feature: a hundredth of its unit, squared."""

_ROUNDING = 1e-9


class PathReference(NamedTuple):
    """Path features of the reference policies.

    Attributes:
        levels: int64[L], ascending.
        mean: float64[L, F], features of their episodes on each level.
        whitener: float64[F, F], W with W Wᵀ the inverse covariance of the residuals.
        limit: quantile of the Mahalanobis distances of their own episodes.
        states: whether their states are known.
        task: :class:`TaskView` for the landmarks, or None for none.
    """

    levels: NDArray[np.int64]
    mean: NDArray[np.float64]
    whitener: NDArray[np.float64]
    limit: float
    states: bool
    task: TaskView | None


@dataclass(frozen=True)
class PathOutliers:
    """Share of episodes whose path is unlike the trusted paths on the same level.

    Access L (logs: actions, states where there are any; the map for landmarks). Unit: share,
    in [0, 1]. Features x of an episode:

    - ln(steps);
    - with states: share of steps in a state that it has visited before; ln(1 + loops), a
      loop being a return to such a state after leaving it;
    - entropy of its turns (a_t − a_{t−1}) mod A, bits;
    - with landmarks: for each, the nearest approach as a share of the initial distance, 0 where
      it arrived and 1 where it came no nearer.

    Formula, with m_l the mean of x over reference episodes on level l, and C the covariance
    of the reference residuals (each episode against the *other* ones of its level) plus 10⁻⁴
    on the diagonal:

        d_e = √((x_e − m_l)ᵀ C⁻¹ (x_e − m_l)),    score = share of e with d_e > q

    q the 95 % quantile of d over the reference residuals; an honest policy scores about 0.05.

    Source: outliers by squared Mahalanobis distance, Mahalanobis 1936, Proc. Natl. Inst. Sci.
    India 2, p. 49; the features are ours.

    Attributes:
        name: in tables and on the command line.
        quantile: of the trusted distances, in (0, 1).
    """

    name: str = "path_features"
    quantile: float = 0.95
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "share of episodes"
    source: ClassVar[str] = "Mahalanobis distance (1936) of path features; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> PathReference:
        """The :class:`PathReference` of reference policies (list[Episodes]).

        Raises:
            NotApplicable: a level with one reference episode only.
        """
        pooled = concatenate(reference, "reference")
        states = bool(pooled.num_states and (pooled.state_id >= 0).all())
        mapped = states and task.landmark_distances is not None and len(task.landmarks) > 0
        landmarks = task if mapped else None
        levels, rows, count = np.unique(pooled.level_seed, return_inverse=True, return_counts=True)
        if count.min() < 2:
            raise NotApplicable(f"{self.name} needs two reference episodes on every level")
        features = _features(pooled, states, landmarks, self.name)
        total = np.stack([np.bincount(rows, column) for column in features.T], axis=1)
        others = (total[rows] - features) / (count[rows, None] - 1)
        residuals = features - others
        covariance = residuals.T @ residuals / len(residuals) + RIDGE * np.eye(features.shape[1])
        whitener = np.linalg.cholesky(np.linalg.inv(covariance))
        limit = np.quantile(_lengths(residuals @ whitener), self.quantile)
        mean = total / count[:, None]
        return PathReference(levels, mean, whitener, float(limit), states, landmarks)

    def distances(self, state: PathReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], Mahalanobis distance of every episode."""
        rows = level_rows(state.levels, suspect)
        features = _features(suspect, state.states, state.task, self.name)
        return _lengths((features - state.mean[rows]) @ state.whitener)

    def per_episode(self, state: PathReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], 1 for an episode beyond the trusted quantile, else 0."""
        return (self.distances(state, suspect) > state.limit + _ROUNDING).astype(np.float64)

    def score(self, state: PathReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """Share of episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


def _features(
    episodes: Episodes, states: bool, task: TaskView | None, name: str
) -> NDArray[np.float64]:
    """float64[E, F]; columns as in the docstring of :class:`PathOutliers`."""
    if states:
        require_states(episodes, name)
    steps = (episodes.state_id, episodes.action, episodes.episode_offsets)
    shape = path_features(*steps, episodes.num_states, episodes.num_actions)
    columns = [np.log(shape[:, 0]), shape[:, 3]]
    if states:
        columns += [shape[:, 1], np.log1p(shape[:, 2])]
    if task is not None and task.landmark_distances is not None:
        rows, moves = task.rows(episodes.level_seed, name), task.successors
        if moves is None:
            moves = np.empty((0, episodes.num_states, episodes.num_actions), np.int32)
        columns += list(nearest_approaches(*steps, rows, task.landmark_distances, moves).T)
    return np.stack(columns, axis=1)


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt((vectors**2).sum(axis=1))
