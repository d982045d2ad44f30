"""Scores on the states that a policy visits, level by level."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.divergences import ROW_KERNELS
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation

UNITS = {"js": "bits", "hellinger": "distance", "total_variation": "share", "chi2": "chi-square"}


class OccupancyReference(NamedTuple):
    """Visitation of the reference policies.

    Attributes:
        levels: int64[L], ascending.
        visits: float64[L, K], pooled discounted visitation of K cells on each level.
        count: int64[L], reference episodes on each level.
    """

    levels: NDArray[np.int64]
    visits: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True)
class OccupancyDivergence:
    """Divergence of the suspect's discounted visitation from the pooled trusted one.

    Access L (logs: states, and actions where cells have them). Unit: the divergence's
    own, in [0, 1] but for ``chi2``. Formula, with p_e the discounted visitation of the
    suspect's episode e (Σ_t γ^t 1[c_t = c] for each cell c, made to sum to 1) and q_l the
    mean visitation of all reference episodes on level l:

        score = mean over e of D(p_e, (1 − ε) q_{level(e)} + ε/K)

    ε = 0 but for ``chi2``, which is infinite outside the trusted support: there a share
    ε of the trusted weight is spread evenly over all K cells. This makes it a score for
    ranking policies; the certificate's χ² is never smoothed.

    The state is the pair (level, state index). Levels are paired, so each episode is
    compared with trusted episodes *on the same level*. One histogram over all mazes would
    mix mazes in which the same cell is a wall, a detour or the goal, and would be
    insensitive to a policy that walks past the cheese. The same holds where the index is
    a coarse cell of a continuous position.

    Cells of states alone are more sensitive, but do not detect a policy that visits the same
    states in another order, such as laps in the wrong direction; cells of (state, action) do.

    Source: occupancy divergence as the measure of reward hacking, Laidlaw, Singhal,
    Dragan, arXiv 2403.03185; per level and calibrated by policies here.

    Attributes:
        name: in tables and on the command line.
        divergence: ``js`` (bits), ``hellinger``, ``total_variation`` or ``chi2``.
        cells: ``states`` or ``state-actions``.
        smoothing: ε, share of the trusted weight.
        discount: γ per step; at 0.999 the end of a race of 1,000 steps still counts.
    """

    name: str
    divergence: str
    cells: str = "states"
    smoothing: float = 0.0
    discount: float = 0.999
    access: ClassVar[str] = "L"
    source: ClassVar[str] = "occupancy divergence, arXiv 2403.03185; by level here"
    higher_is: ClassVar[str] = "more anomalous"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return UNITS[self.divergence]

    def fit(self, reference: list[Episodes], task: TaskView | None) -> OccupancyReference:
        """Pool the reference policies (list[Episodes]) into an :class:`OccupancyReference`.

        ``task`` is not used.
        """
        pooled = concatenate(reference, "reference")
        require_states(pooled, self.name)
        levels, rows, episodes = np.unique(
            pooled.level_seed, return_inverse=True, return_counts=True
        )
        cells, count = self._cells(pooled)
        return OccupancyReference(
            levels,
            pooled_visitation(
                cells, pooled.episode_offsets, rows, len(levels), count, self.discount
            ),
            episodes,
        )

    def on_levels(
        self, state: OccupancyReference, reference: list[Episodes], task: TaskView | None
    ) -> OccupancyReference:
        """The reference policies' visitation on other levels; nothing of ``state`` stays."""
        return self.fit(reference, task)

    def per_episode(self, state: OccupancyReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], the divergence of every episode."""
        require_states(suspect, self.name)
        expected = state.visits[level_rows(state.levels, suspect)]
        return self._divergences(self._visits(suspect), expected)

    def per_episode_left_out(self, state: OccupancyReference, own: Episodes) -> NDArray[np.float64]:
        """float64[E]: the same for a reference policy, against the other ones.

        Raises:
            NotApplicable: there is no other one on a level.
        """
        rows, visits = level_rows(state.levels, own), self._visits(own)
        known, at, count = np.unique(rows, return_inverse=True, return_counts=True)
        others = state.count[known] - count
        if (others < 1).any():
            raise NotApplicable(f"{self.name} needs two reference policies on every level")
        total = np.zeros((len(known), visits.shape[1]))
        np.add.at(total, at, visits)
        expected = state.visits[known] * state.count[known, None] - total
        return self._divergences(visits, np.maximum(expected / others[:, None], 0)[at])

    def _divergences(
        self, visits: NDArray[np.float64], expected: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """float64[E], the divergence of each row of ``visits`` from that of ``expected``."""
        if self.smoothing:
            expected = (1 - self.smoothing) * expected + self.smoothing / expected.shape[1]
        return ROW_KERNELS[self.divergence](visits, expected)

    def score(
        self, state: OccupancyReference, suspect: Episodes, rng: np.random.Generator
    ) -> float:
        """Mean divergence over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def per_step(self, state: OccupancyReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], visitation of the step's cell by the suspect minus that by the trusted."""
        require_states(suspect, self.name)
        rows, episode = level_rows(state.levels, suspect), suspect.episode_index
        cells, _ = self._cells(suspect)
        return self._visits(suspect)[episode, cells] - state.visits[rows[episode], cells]

    def _cells(self, episodes: Episodes) -> tuple[NDArray[np.int64], int]:
        """(int64[T] cell of every step, number of cells)."""
        if self.cells == "states":
            return episodes.state_id, episodes.num_states
        actions = episodes.num_actions
        return episodes.state_id * actions + episodes.action, episodes.num_states * actions

    def _visits(self, suspect: Episodes) -> NDArray[np.float64]:
        cells, count = self._cells(suspect)
        return discounted_visitation(cells, suspect.episode_offsets, count, self.discount)
