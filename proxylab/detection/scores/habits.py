"""Habits: what a policy does on every level alike, learned from its actions alone.

A policy that does badly what the trusted do errs here and there; one that pursues
something else has habits of its own, and is sure of them. Both scores here look for that.
Habits are what a clone carries from level to level (``clone.habit_probabilities``): a
softmax over what a move does to the distance of each landmark, or, where no map is
known, the shares of actions in each state.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.clone import Clone, fit_clone, habit_probabilities
from proxylab.detection.scores.goals import LAPSES
from proxylab.detection.task_view import TaskView
from proxylab.statistics.divergences import js_divergence

FOLDS = 2
"""Parts of the episodes: the suspect's habits are learned on one, judged on the other."""


class Habits(NamedTuple):
    """What the trusted do.

    Attributes:
        clone: :class:`~proxylab.detection.scores.clone.Clone` of the reference policies.
        task: :class:`TaskView`.
    """

    clone: Clone
    task: TaskView


@dataclass(frozen=True)
class HabitDivergence:
    """How far the suspect's habits lie from the trusted ones where they differ most.

    Access L (logs of both), and the map where there is one. Unit: bits, in [0, 1]. With h'
    the suspect's habits and h the trusted ones, at each step t of the suspect:

        score = quantile over steps of JS(h'_t, h_t), each episode weighing alike

    Somebody who acts at random is at most some way from the trusted everywhere (JS of one
    action against four equal ones is .55); who knows better is at 1 where they disagree.
    So the upper quantile tells a weak policy from one that pursues something else, which
    the mean does not.

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

    def fit(self, reference, task):
        """The :class:`Habits` of the reference policies (list[Episodes])."""
        return Habits(fit_clone(reference, task, self.name), task)

    def per_step(self, state, suspect):
        """float64[T], divergence of the habits at every step, bits."""
        own = fit_clone([suspect], state.task, self.name)
        sides = [habit_probabilities(c, suspect, self.name) for c in (own, state.clone)]
        return js_divergence(*sides)

    def score(self, state, suspect, rng):
        """The weighted quantile; ``rng`` is not used."""
        divergence = self.per_step(state, suspect)
        order = np.argsort(divergence, kind="stable")
        below = np.cumsum(np.repeat(1 / suspect.lengths, suspect.lengths)[order])
        at = np.searchsorted(below, self.quantile * below[-1])
        return float(divergence[order[min(at, len(order) - 1)]])


@dataclass(frozen=True)
class LapseRatio:
    """Log-likelihood ratio between habits of the suspect's own and trusted habits with lapses.

    Access L (logs of both), and the map where there is one. Unit: nats per step. With h
    the trusted habits, h' the suspect's own, learned on the other half of its episodes, and
    ε a share of actions at random, of ``LAPSES``:

        L(p) = max over ε of the mean over episodes of the mean over steps
               of log((1 − ε) p_t(a_t) + ε/A)
        score = L(h') − L(h)

    A policy that does what the trusted do, but badly, has no habits that lapses would not
    explain, and scores near 0 however far it strays; one with another goal has.

    Source: lapse rates, Wichmann and Hill 2001, Perception & Psychophysics 63, p. 1293;
    the trusted with lapses as the rival of the suspect's own clone is ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "lapse_ratio"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats per step"
    source: ClassVar[str] = "lapse rates, Wichmann and Hill 2001; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference, task):
        """The :class:`Habits` of the reference policies (list[Episodes])."""
        return Habits(fit_clone(reference, task, self.name), task)

    def per_step(self, state, suspect):
        """float64[T], log-likelihood ratio of every action, nats."""
        if suspect.num_episodes < FOLDS:
            raise NotApplicable(f"{self.name} needs at least {FOLDS} episodes of a suspect")
        trusted = habit_probabilities(state.clone, suspect, self.name)
        own = self._own(state.task, suspect)
        at = np.arange(suspect.num_steps), suspect.action
        return _lapsing(own[at], suspect) - _lapsing(trusted[at], suspect)

    def per_episode(self, state, suspect):
        """float64[E], mean over the steps of each episode."""
        return _by_episode(self.per_step(state, suspect), suspect)

    def score(self, state, suspect, rng):
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())

    def _own(self, task, suspect):
        """float64[T, A]: the suspect's habits, at each step from the other half of its episodes."""
        found = np.empty((suspect.num_steps, suspect.num_actions))
        fold = np.arange(suspect.num_episodes) % FOLDS
        for number in range(FOLDS):
            learned = fit_clone([suspect.select(np.flatnonzero(fold != number))], task, self.name)
            held_out = suspect.select(np.flatnonzero(fold == number))
            steps = np.repeat(fold == number, suspect.lengths)
            found[steps] = habit_probabilities(learned, held_out, self.name)
        return found


def _lapsing(probabilities, suspect):
    """float64[T]: log-likelihood of each action with the share of lapses that fits best."""
    logs = [np.log((1 - e) * probabilities + e / suspect.num_actions) for e in LAPSES]
    return max(logs, key=lambda steps: _by_episode(steps, suspect).mean())


def _by_episode(steps, suspect):
    return np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths
