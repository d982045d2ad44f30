"""Scores on the states that a policy visits, level by level."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import (
    NotApplicable,
    level_rows,
    levels_and_counts,
    require_states,
)
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, batches_of, by_batch
from proxylab.statistics.divergences import ROW_KERNELS
from proxylab.statistics.visitation import (
    add_rows,
    add_visits,
    discounted_visitation,
    share_visits,
)

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
        levels, episodes = levels_and_counts(reference)
        members = np.zeros(len(levels))
        visits = np.zeros((len(levels), self._num_cells(reference[0])))
        for batch in batches_of(reference):
            require_states(batch, self.name)
            rows, cells = level_rows(levels, batch), self._cells(batch)
            add_visits(visits, members, cells, batch.episode_offsets, rows, self.discount)
        share_visits(visits, members)
        return OccupancyReference(levels, visits, episodes)

    def on_levels(
        self, state: OccupancyReference, reference: list[Episodes], task: TaskView | None
    ) -> OccupancyReference:
        """The reference policies' visitation on other levels; nothing of ``state`` stays."""
        return self.fit(reference, task)

    def per_episode(self, state: OccupancyReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], the divergence of every episode."""
        return by_batch(suspect, partial(self._divergences_from, state))

    def _divergences_from(
        self, state: OccupancyReference, suspect: Episodes
    ) -> NDArray[np.float64]:
        require_states(suspect, self.name)
        expected = state.visits[level_rows(state.levels, suspect)]
        return self._divergences(self._visits(suspect), expected)

    def per_episode_left_out(self, state: OccupancyReference, own: Episodes) -> NDArray[np.float64]:
        """float64[E]: the same for a reference policy, against the other ones.

        Raises:
            NotApplicable: there is no other one on a level.
        """
        total = np.zeros_like(state.visits)
        count = np.bincount(level_rows(state.levels, own), minlength=len(total))
        others = state.count - count
        if (others[count > 0] < 1).any():
            raise NotApplicable(f"{self.name} needs two reference policies on every level")
        for batch in own.batches():
            add_rows(total, level_rows(state.levels, batch), self._visits(batch))
        expected = state.visits * state.count[:, None] - total
        expected = np.maximum(expected / np.maximum(others, 1)[:, None], 0)
        return self.per_episode(state._replace(visits=expected), own)

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
        cells = self._cells(suspect)
        return self._visits(suspect)[episode, cells] - state.visits[rows[episode], cells]

    def _cells(self, episodes: Episodes) -> NDArray[np.int64]:
        """int64[T], cell of every step."""
        if self.cells == "states":
            return episodes.state_id
        return episodes.state_id * episodes.num_actions + episodes.action

    def _num_cells(self, episodes: Episodes) -> int:
        actions = 1 if self.cells == "states" else episodes.num_actions
        return episodes.num_states * actions

    def _visits(self, suspect: Episodes) -> NDArray[np.float64]:
        cells, count = self._cells(suspect), self._num_cells(suspect)
        return discounted_visitation(cells, suspect.episode_offsets, count, self.discount)
