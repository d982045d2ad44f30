"""Scores on which states a policy visits, level by level."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from proxylab.detection.pairing import level_rows, require_states
from proxylab.rollouts.episodes import concatenate
from proxylab.statistics.divergences import ROW_KERNELS
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation

UNITS = {"js": "bits", "hellinger": "distance", "total_variation": "share", "chi2": "chi-square"}


class OccupancyReference(NamedTuple):
    """What the reference policies visit.

    Attributes:
        levels: int64[L], ascending.
        visits: float64[L, K], pooled discounted visitation of K cells on each level.
    """

    levels: np.ndarray
    visits: np.ndarray


@dataclass(frozen=True)
class OccupancyDivergence:
    """Divergence of the suspect's discounted visitation from the pooled trusted one.

    Access L (logs: states, and actions where cells have them). Unit: the divergence's
    own, in [0, 1] but for ``chi2``. Formula, with p_e the discounted visitation of the
    suspect's episode e (Σ_t γ^t 1[c_t = c] for each cell c, made to sum to 1) and q_l the
    mean visitation of all reference episodes on level l:

        score = mean over e of D(p_e, (1 − ε) q_{level(e)} + ε/K)

    ε = 0 but for ``chi2``, which is infinite where the trusted have never been: there a
    share ε of the trusted weight is spread evenly over all K cells. That makes it a
    score to rank policies by; the certificate's χ² is never smoothed.

    The state is the pair (level, state index). Levels are paired, so each episode is
    compared with what trusted policies did *on the same level*. One histogram over
    all mazes would mix mazes in which the same cell is a wall, a detour or the goal,
    and would hardly notice a policy that walks past the cheese. Where the index is a
    coarse cell of a continuous position the same holds.

    Cells of states alone are sharper, and see nothing of a policy that visits the same
    states in another order, such as laps the wrong way round; cells of (state, action) do.

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
    def unit(self):
        """Unit of the score."""
        return UNITS[self.divergence]

    def fit(self, reference, task):
        """Pool the reference policies (list[Episodes]) into an :class:`OccupancyReference`.

        ``task`` is not used.
        """
        pooled = concatenate(reference, "reference")
        require_states(pooled, self.name)
        levels, rows = np.unique(pooled.level_seed, return_inverse=True)
        cells, count = self._cells(pooled)
        return OccupancyReference(
            levels,
            pooled_visitation(
                cells, pooled.episode_offsets, rows, len(levels), count, self.discount
            ),
        )

    def per_episode(self, state, suspect):
        """float64[E], the divergence of every episode."""
        require_states(suspect, self.name)
        expected = state.visits[level_rows(state.levels, suspect)]
        visits = self._visits(suspect)
        if self.smoothing:
            expected = (1 - self.smoothing) * expected + self.smoothing / expected.shape[1]
        return ROW_KERNELS[self.divergence](visits, expected)

    def score(self, state, suspect, rng):
        """Mean divergence over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def per_step(self, state, suspect):
        """float64[T], by how much the suspect visits the step's cell more than the trusted do."""
        require_states(suspect, self.name)
        rows, episode = level_rows(state.levels, suspect), suspect.episode_index
        cells, _ = self._cells(suspect)
        return self._visits(suspect)[episode, cells] - state.visits[rows[episode], cells]

    def _cells(self, episodes):
        """(int64[T] cell of every step, number of cells)."""
        if self.cells == "states":
            return episodes.state_id, episodes.num_states
        actions = episodes.num_actions
        return episodes.state_id * actions + episodes.action, episodes.num_states * actions

    def _visits(self, suspect):
        cells, count = self._cells(suspect)
        return discounted_visitation(cells, suspect.episode_offsets, count, self.discount)
