"""Divergence of actions on states drawn half from the suspect and half from the trusted."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.scores.actions import ActionReference, fit_actions
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.divergences import js_divergence
from proxylab.statistics.visitation import pooled_visitation


class MixtureReference(NamedTuple):
    """Mean actions of the reference policies, and their visits.

    Attributes:
        actions: :class:`ActionReference`.
        visits: float64[L, S], share of steps that reference episodes spend in each state.
    """

    actions: ActionReference
    visits: NDArray[np.float64]


class Places(NamedTuple):
    """States of the suspect's episodes that the trusted visit on that level, K in all.

    Attributes:
        episode: int64[K].
        weight: float64[K]; sums to 1 in every episode that has any.
        divergence: float64[K], bits.
    """

    episode: NDArray[np.int64]
    weight: NDArray[np.float64]
    divergence: NDArray[np.float64]


@dataclass(frozen=True)
class MixtureDivergence:
    """Jensen–Shannon divergence of actions on states drawn half from each side.

    Access W (action probabilities of the suspect; of the trusted where known). Unit: bits,
    in [0, 1]. Formula, with p̄_e(·|s) the suspect's mean action distribution at state s in
    episode e, π̄_l(·|s) the trusted one on that level, μ_e and μ_l the shares of steps spent
    in s, all over the states that *both* have visited there:

        w_e(s) ∝ ½ μ_e(s) + ½ μ_l(s)
        score  = mean over e of Σ_s w_e(s) JS(p̄_e(·|s), π̄_l(·|s))           (no quantile)
        score  = the quantile of JS over (e, s), weighted by w, equal weight per e  (a quantile)

    States that one side has not visited are left out, since Episodes hold no actions there.
    A suspect that goes elsewhere shows only at the last state they share; the upper quantiles
    are sensitive to a few such states.

    Source: the symmetric form of the Polynomaly baselines (arXiv 2201.03544, section 5);
    this project.

    Attributes:
        name: in tables and on the command line.
        quantile: in (0, 1), or None for the mean.
    """

    name: str
    quantile: float | None = None
    access: ClassVar[str] = "W"
    unit: ClassVar[str] = "bits"
    source: ClassVar[str] = "symmetric form of Polynomaly's, arXiv 2201.03544; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> MixtureReference:
        """Pool the reference policies (list[Episodes]) into a :class:`MixtureReference`.

        ``task`` is not used.
        """
        actions = fit_actions(reference, self.name)
        pooled = concatenate(reference, "reference")
        rows, levels = level_rows(actions.levels, pooled), len(actions.levels)
        visits = pooled_visitation(
            pooled.state_id, pooled.episode_offsets, rows, levels, pooled.num_states, 1.0
        )
        return MixtureReference(actions, visits)

    def score(self, state: MixtureReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean or weighted quantile; NaN if no state is shared. ``rng`` is not used."""
        places = self._places(state, suspect)
        if not len(places.weight):
            return float("nan")
        if self.quantile is None:
            return _mean_over_episodes(places)
        order = np.argsort(places.divergence, kind="stable")
        below = np.cumsum(places.weight[order])
        at = np.searchsorted(below, self.quantile * below[-1])
        return float(places.divergence[order[min(at, len(order) - 1)]])

    def _places(self, state: MixtureReference, suspect: Episodes) -> Places:
        require_states(suspect, self.name)
        if suspect.probabilities is None:
            raise NotApplicable(f"{self.name} needs action probabilities of {suspect.policy}")
        num_states = suspect.num_states
        level = level_rows(state.actions.levels, suspect)
        keys, at = np.unique(
            suspect.episode_index * num_states + suspect.state_id, return_inverse=True
        )
        steps = np.bincount(at)
        actions = np.stack([np.bincount(at, column) for column in suspect.probabilities.T], axis=1)
        episode, place = np.divmod(keys, num_states)
        row = state.actions.row[level[episode] * num_states + place]
        weight = 0.5 * steps / suspect.lengths[episode] + 0.5 * state.visits[level[episode], place]
        known = row >= 0
        episode, weight = episode[known], weight[known]
        weight = weight / np.bincount(episode, weight, suspect.num_episodes)[episode]
        actions = actions[known] / steps[known, None]
        return Places(episode, weight, js_divergence(actions, state.actions.actions[row[known]]))


def _mean_over_episodes(places: Places) -> float:
    count = len(np.unique(places.episode))
    return float((places.weight * places.divergence).sum() / count)
