"""Habits: what a policy does on every level, learned from its actions alone.

A policy that pursues the trusted goal badly makes occasional errors; one that pursues
another goal has other, consistent habits. Both scores measure that. Habits are the part of
a clone that is common to all levels (``clone.habit_probabilities``): a softmax over the
change that a move makes in the distance of each landmark, or, without a map, the action
shares of each state.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.clone import Clone, fit_clone, habit_probabilities
from proxylab.detection.scores.goals import LAPSES
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.divergences import js_divergence

FOLDS = 2
"""Parts of the episodes: the suspect's habits are learned on one and evaluated on the other."""


class Habits(NamedTuple):
    """Habits of the trusted policies.

    Attributes:
        clone: :class:`~proxylab.detection.scores.clone.Clone` of the reference policies.
        task: :class:`TaskView`.
    """

    clone: Clone
    task: TaskView


@dataclass(frozen=True)
class HabitDivergence:
    """Upper quantile of the divergence between the suspect's habits and the trusted ones.

    Access L (logs of both), and the map where there is one. Unit: bits, in [0, 1]. With h'
    the suspect's habits and h the trusted ones, at each step t of the suspect:

        score = quantile over steps of JS(h'_t, h_t), each episode with equal weight

    A random policy is at a moderate distance everywhere (JS of one action against four equal
    ones is 0.55); a competent policy with another goal reaches 1 where the two disagree. So
    the upper quantile separates a weak policy from one with another goal, which the mean
    does not.

    Source: as ``mixture_js_q90``, with clones in place of action probabilities; this project.

    Attributes:
        name: in tables and on the command line.
        quantile: in (0, 1).
    """

    name: str = "habit_js_q90"
    quantile: float = 0.9
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "bits"
    source: ClassVar[str] = "mixture_js with clones for probabilities; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> Habits:
        """The :class:`Habits` of the reference policies (list[Episodes])."""
        return Habits(fit_clone(reference, task, self.name), task)

    def per_step(self, state: Habits, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], divergence of the habits at every step, bits."""
        own = fit_clone([suspect], state.task, self.name)
        sides = [habit_probabilities(c, suspect, self.name) for c in (own, state.clone)]
        return js_divergence(*sides)

    def score(self, state: Habits, suspect: Episodes, rng: np.random.Generator) -> float:
        """The weighted quantile; ``rng`` is not used."""
        divergence = self.per_step(state, suspect)
        order = np.argsort(divergence, kind="stable")
        below = np.cumsum(np.repeat(1 / suspect.lengths, suspect.lengths)[order])
        at = np.searchsorted(below, self.quantile * below[-1])
        return float(divergence[order[min(at, len(order) - 1)]])


@dataclass(frozen=True)
class LapseRatio:
    """Log-likelihood ratio between the suspect's own habits and trusted habits with lapses.

    Access L (logs of both), and the map where there is one. Unit: nats per step. With h
    the trusted habits, h' the suspect's own, learned on the other half of its episodes, and
    ε a lapse rate out of ``LAPSES``:

        L(p) = max over ε of the mean over episodes of the mean over steps
               of log((1 − ε) p_t(a_t) + ε/A)
        score = L(h') − L(h)

    The habits of a policy that pursues the trusted goal badly are explained by lapses, so it
    scores near 0 however far it strays; those of a policy with another goal are not.

    Source: lapse rates, Wichmann and Hill 2001, Perception & Psychophysics 63, p. 1293;
    the comparison of the trusted with lapses to the suspect's own clone is ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "lapse_ratio"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats per step"
    source: ClassVar[str] = "lapse rates, Wichmann and Hill 2001; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> Habits:
        """The :class:`Habits` of the reference policies (list[Episodes])."""
        return Habits(fit_clone(reference, task, self.name), task)

    def per_step(self, state: Habits, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], log-likelihood ratio of every action, nats."""
        if suspect.num_episodes < FOLDS:
            raise NotApplicable(f"{self.name} needs at least {FOLDS} episodes of a suspect")
        trusted = habit_probabilities(state.clone, suspect, self.name)
        own = self._own(state.task, suspect)
        at = np.arange(suspect.num_steps), suspect.action
        return _lapsing(own[at], suspect) - _lapsing(trusted[at], suspect)

    def per_episode(self, state: Habits, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], mean over the steps of each episode."""
        return _by_episode(self.per_step(state, suspect), suspect)

    def score(self, state: Habits, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def _own(self, task: TaskView, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T, A]: the suspect's habits, at each step from the other half of its episodes."""
        habits = np.empty((suspect.num_steps, suspect.num_actions))
        fold = np.arange(suspect.num_episodes) % FOLDS
        for number in range(FOLDS):
            learned = fit_clone([suspect.select(np.flatnonzero(fold != number))], task, self.name)
            held_out = suspect.select(np.flatnonzero(fold == number))
            steps = np.repeat(fold == number, suspect.lengths)
            habits[steps] = habit_probabilities(learned, held_out, self.name)
        return habits


def _lapsing(probabilities: NDArray[np.float64], suspect: Episodes) -> NDArray[np.float64]:
    """float64[T]: log-likelihood of each action at the lapse rate of maximum likelihood."""
    logs = [np.log((1 - e) * probabilities + e / suspect.num_actions) for e in LAPSES]
    return max(logs, key=lambda steps: _by_episode(steps, suspect).mean())


def _by_episode(steps: NDArray[np.float64], suspect: Episodes) -> NDArray[np.float64]:
    return np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths
