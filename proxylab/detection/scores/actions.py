"""Scores on the actions a policy takes, in states that trusted policies visit too."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.divergences import ROW_KERNELS


class ActionReference(NamedTuple):
    """Mean actions of the reference policies.

    Attributes:
        levels: int64[L], ascending.
        row: int64[L × num_states], row of ``actions`` for each (level, state), −1 where no
            reference policy visits it.
        actions: float64[K, A], mean action distribution of the reference visits there.
    """

    levels: NDArray[np.int64]
    row: NDArray[np.int64]
    actions: NDArray[np.float64]


def fit_actions(reference: list[Episodes], name: str) -> ActionReference:
    """Mean action distribution at every (level, state) that the reference policies visit.

    Every visit counts once; where logs hold no probabilities, a one-hot vector of
    the action taken is used.
    """
    pooled = concatenate(reference, "reference")
    require_states(pooled, name)
    levels = np.unique(pooled.level_seed)
    places = _places(levels, pooled)
    seen = np.bincount(places, minlength=len(levels) * pooled.num_states) > 0
    row = np.where(seen, np.cumsum(seen) - 1, -1)
    actions = pooled.probabilities
    if actions is None:
        actions = np.eye(pooled.num_actions)[pooled.action]
    sums = np.stack([np.bincount(row[places], column) for column in actions.T], axis=1)
    return ActionReference(levels, row, sums / sums.sum(axis=1, keepdims=True))


def _places(levels: NDArray[np.int64], episodes: Episodes) -> NDArray[np.int64]:
    """int64[T]: level row × num_states + state index of every step."""
    rows = level_rows(levels, episodes)[episodes.episode_index]
    return rows * episodes.num_states + episodes.state_id


def step_divergences(
    state: ActionReference, suspect: Episodes, name: str, divergence: str
) -> NDArray[np.float64]:
    """Divergence of the suspect's action distribution from the trusted one at its own steps.

    Returns:
        float64[T]; NaN at states that no reference policy visits on that level, since
        Episodes hold no trusted actions there.

    Raises:
        NotApplicable: the suspect's probabilities are unknown.
    """
    require_states(suspect, name)
    if suspect.probabilities is None:
        raise NotApplicable(f"{name} needs action probabilities; {suspect.policy} has none")
    row = state.row[_places(state.levels, suspect)]
    out = ROW_KERNELS[divergence](suspect.probabilities, state.actions[row])
    out[row < 0] = np.nan
    return out


@dataclass(frozen=True)
class _ActionScore:
    """A score of action distributions against the mean of the reference policies'."""

    name: str
    divergence: str
    over_steps: str
    access: ClassVar[str] = "W"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> ActionReference:
        """Pool the reference policies (list[Episodes]) into an :class:`ActionReference`.

        ``task`` is not used.
        """
        return fit_actions(reference, self.name)


@dataclass(frozen=True)
class ActionDivergence(_ActionScore):
    """Divergence of action distributions, episode by episode.

    Access W (action probabilities of the suspect; of the trusted where known).
    Unit: that of the divergence, in [0, 1]. Formula, with d_t the divergence between
    the suspect's action distribution at its step t and the mean trusted one at the
    same (level, state):

        score = mean over episodes of the mean (or max − min) over steps of d_t

    Steps in states that no reference policy visits on that level are left out, since there
    is no trusted distribution to compare with: the score does not measure *whether* a
    suspect leaves the trusted states, only what it does within them. After the baselines
    of Polynomaly (Pan, Bhatia, Steinhardt, arXiv 2201.03544, section 5), corrected:
    sampled rollouts, whole episodes, no truncation to the shortest.

    Attributes:
        name: in tables and on the command line.
        divergence: ``js`` (bits) or ``hellinger``.
        over_steps: ``mean`` or ``range``.
    """

    source: ClassVar[str] = "Polynomaly, arXiv 2201.03544, section 5; corrected here"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return {"js": "bits", "hellinger": "distance"}[self.divergence]

    def per_step(self, state: ActionReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], the divergence at every step; NaN off the trusted states."""
        return step_divergences(state, suspect, self.name, self.divergence)

    def per_episode(self, state: ActionReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E]; NaN for an episode without a step among trusted states."""
        steps = self.per_step(state, suspect)
        known, starts = ~np.isnan(steps), suspect.episode_offsets[:-1]
        counts = np.add.reduceat(known, starts, dtype=np.int64)
        if self.over_steps == "mean":
            values = np.add.reduceat(np.where(known, steps, 0), starts) / np.maximum(counts, 1)
        else:
            high = np.maximum.reduceat(np.where(known, steps, -np.inf), starts)
            values = high - np.minimum.reduceat(np.where(known, steps, np.inf), starts)
        return np.where(counts > 0, values, np.nan)

    def score(self, state: ActionReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over the episodes that can be compared; NaN if none can. ``rng`` is not used."""
        return _mean(self.per_episode(state, suspect))


@dataclass(frozen=True)
class TimeAlignedDivergence(_ActionScore):
    """The Polynomaly baselines with the averaging of their paper, for comparison only.

    Access W. Unit: a distance in [0, 1]. States come from the suspect's rollout alone,
    rollouts are truncated to the shortest, distances are averaged over rollouts at each
    time and then over time (``mean``) or as max − min over time (``range``); the
    categorical distance is the square root of the Jensen–Shannon divergence. The
    paper's actions are deterministic: ``detect --greedy`` matches it exactly. Where the
    shortest rollout has one step, only the first step of each is used, and the range is 0.
    Source: Pan, Bhatia, Steinhardt 2022, arXiv 2201.03544, section 5.

    Attributes:
        name: in tables and on the command line.
        divergence: ``js`` (its root is taken) or ``hellinger``.
        over_steps: ``mean`` or ``range``.
    """

    source: ClassVar[str] = "Polynomaly, arXiv 2201.03544, section 5; as published"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return {"js": "distance", "hellinger": "distance"}[self.divergence]

    def score(self, state: ActionReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """The time-aligned statistic; NaN if no time can be compared. ``rng`` is not used."""
        distances = step_divergences(state, suspect, self.name, self.divergence)
        if self.divergence == "js":
            distances = np.sqrt(distances)
        times = np.arange(suspect.lengths.min())
        aligned = distances[suspect.episode_offsets[:-1, None] + times]
        known = ~np.isnan(aligned)
        curve = np.where(known, aligned, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        curve = curve[known.any(axis=0)]
        if not len(curve):
            return float("nan")
        return float(curve.mean() if self.over_steps == "mean" else np.ptp(curve))


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
