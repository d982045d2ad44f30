"""Scores on which states a policy visits, level by level."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from proxylab.detection.pairing import level_rows, require_states
from proxylab.episodes import concatenate
from proxylab.statistics.divergences import DIVERGENCES, row_divergences
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation


class OccupancyReference(NamedTuple):
    """What the reference policies visit.

    Attributes:
        levels: int64[L], ascending.
        visits: float64[L, num_states], pooled discounted visitation on each level.
    """

    levels: np.ndarray
    visits: np.ndarray


@dataclass(frozen=True)
class OccupancyDivergence:
    """Divergence of the suspect's discounted state visitation from the pooled trusted one.

    Access L (logs: states only). Unit: the divergence's own, in [0, 1]. Formula, with
    p_e the discounted visitation of the suspect's episode e (Σ_t γ^t 1[s_t = s], made
    to sum to 1) and q_l the mean visitation of all reference episodes on level l:

        score = mean over e of D(p_e, q_{level(e)})

    The state is the pair (level, state index). Levels are paired, so each episode is
    compared with what trusted policies did *on the same level*. One histogram over
    all mazes would mix mazes in which the same cell is a wall, a detour or the goal,
    and would hardly notice a policy that walks past the cheese. Where the index is a
    coarse cell of a continuous position the same holds.

    Source: occupancy divergence as the measure of reward hacking, Laidlaw, Singhal,
    Dragan, arXiv 2403.03185; per level and calibrated by policies here.

    Attributes:
        name: in tables and on the command line.
        divergence: ``js`` (bits) or ``total_variation``.
        discount: γ per step; 0.99 weighs the start of an episode more than its end.
    """

    name: str
    divergence: str
    discount: float = 0.99
    access: ClassVar[str] = "L"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference):
        """Pool the reference policies (list[Episodes]) into an :class:`OccupancyReference`."""
        pooled = concatenate(reference, "reference")
        require_states(pooled, self.name)
        levels, rows = np.unique(pooled.level_seed, return_inverse=True)
        visits = pooled_visitation(
            pooled.state_id,
            pooled.episode_offsets,
            rows,
            len(levels),
            pooled.num_states,
            self.discount,
        )
        return OccupancyReference(levels, visits)

    def per_episode(self, state, suspect):
        """float64[E], the divergence of every episode."""
        require_states(suspect, self.name)
        expected = state.visits[level_rows(state.levels, suspect)]
        visits = self._visits(suspect)
        return row_divergences(visits, expected)[:, DIVERGENCES.index(self.divergence)]

    def score(self, state, suspect, rng):
        """Mean divergence over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def per_step(self, state, suspect):
        """float64[T], by how much the suspect visits the step's state more than the trusted do."""
        require_states(suspect, self.name)
        rows, episode = level_rows(state.levels, suspect), suspect.episode_index
        mine = self._visits(suspect)[episode, suspect.state_id]
        return mine - state.visits[rows[episode], suspect.state_id]

    def _visits(self, suspect):
        return discounted_visitation(
            suspect.state_id, suspect.episode_offsets, suspect.num_states, self.discount
        )
