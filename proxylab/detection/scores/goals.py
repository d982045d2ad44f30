"""Goal attribution: likelihood of a suspect's actions under plans and under the trusted."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.records import Pursuit
from proxylab.detection.scores.clone import Clone, clone_probabilities, fit_clone
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, batches_of, by_batch
from proxylab.statistics.planning import (
    distances_to_states,
    plan_probabilities,
    pursuit_likelihoods,
)

LAPSES = np.array([0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0])
"""Candidate lapse rates (shares of random actions) of every model."""

SHARPNESS = 3.0
"""Inverse temperature of the plans: a step closer is e³ = 20 times as likely as staying."""

AHEAD = 0.5
"""Least share of episodes at whose start a candidate goal is reachable and not yet reached."""

MOST_CELLS = 500_000_000
"""Entries of the distance table above which only landmarks are candidates."""


class GoalReference(NamedTuple):
    """Candidate goals and the clone of the trusted policies.

    Attributes:
        names: of G goals.
        distances: int16[L, G, S], steps to each goal.
        task: :class:`TaskView`.
        clone: :class:`Clone` of the reference policies.
        own: index of the goal that explains the reference policies best.
    """

    names: tuple[str, ...]
    distances: NDArray[np.int16]
    task: TaskView
    clone: Clone
    own: int


@dataclass(frozen=True)
class GoalAttribution:
    """Log-likelihood ratio between a plan for the best other goal and the trusted policies.

    Access L (logs of both), and the map of the task. Unit: nats per episode. Candidate
    goals: the landmarks, and every state. For goal g a plan takes an action with
    probability softmax(−3 d_g) over the distances d_g that the actions lead to. Rivals: the
    clone of the trusted policies, and the plan for the goal that explains *them* best. Every
    model has lapses: with probability ε it acts at random, ε chosen by maximum likelihood from
    ``LAPSES``, so a policy that pursues the trusted goal badly is not mistaken for one with
    another goal. With A_g the steps of all E episodes before the first arrival at g (a plan
    says nothing about later steps):

        Λ(g) = [max_ε Σ_{t in A_g} log p_{g,ε}(a_t) − max_rival max_ε Σ_{t in A_g} log p(a_t)]/E
        score = max of Λ(g) over all g but the one that the trusted pursue

    Near or below 0: no other goal explains the suspect better than the trusted do.
    A state stands for one place in all levels; where it is a wall, a level is left out.
    Goals that the suspect can reach, and has not reached at the start, on fewer than half of
    the levels are no candidates: there would be too few steps to judge by.

    Source: goals as explanations of a plan, Baker, Saxe, Tenenbaum 2009, Cognition 113,
    p. 329; every state as a candidate, and the trusted as the rival, are ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "goal_attribution"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats per episode"
    source: ClassVar[str] = "inverse planning, Baker, Saxe, Tenenbaum 2009"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> GoalReference:
        """Candidate goals, the reference's clone and its best goal: :class:`GoalReference`.

        Raises:
            NotApplicable: the moves of the task are unknown.
        """
        task.moves(self.name)
        clone = fit_clone(reference, task, self.name)
        names, distances = _candidates(task)
        state = GoalReference(names, distances, task, clone, -1)
        parts = batches_of(reference)
        logs = np.sum([self._likelihoods(state, p, np.empty((0, p.num_steps))) for p in parts], 0)
        # With ε = 1 a model acts at random. Steps after an arrival count as random for every goal.
        explained = (logs[:, 0] - logs[:, 0, -1:]).max(axis=1)
        explained[~self._ahead(state, reference)] = -np.inf
        return state._replace(own=int(np.argmax(explained)))

    def ratios(self, state: GoalReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[G], Λ of every goal; 0 for the trusted one, −∞ where it is no candidate."""
        return self._ratios(state, suspect, self._totals(state, suspect).max(axis=2))

    def _totals(self, state: GoalReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[G, 3, lapses], log-likelihoods of all episodes: of each plan and both rivals."""
        parts = suspect.batches()
        return np.sum([self._likelihoods(state, p, self._rivals(state, p)) for p in parts], axis=0)

    def _ratios(
        self, state: GoalReference, suspect: Episodes, best: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        ratios = (best[:, 0] - best[:, 1:].max(axis=1)) / suspect.num_episodes
        ratios[~self._ahead(state, [suspect])] = -np.inf
        ratios[state.own] = 0
        return ratios

    def pursues(self, state: GoalReference, suspect: Episodes) -> list[Pursuit]:
        """list[Pursuit] of all goals but the trusted one, the likeliest first."""
        ratios = self.ratios(state, suspect)
        order = [g for g in np.argsort(-ratios, kind="stable") if ratios[g] > -np.inf]
        order.remove(state.own)
        return [Pursuit(state.names[g], float(ratios[g])) for g in order]

    def score(self, state: GoalReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """Λ of the best goal other than the trusted, NaN without one; ``rng`` is not used."""
        best = float(np.delete(self.ratios(state, suspect), state.own).max())
        return best if best > -np.inf else float("nan")

    def per_episode(self, state: GoalReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], each episode's contribution to Λ of the best goal; the mean is the score."""
        logs = self._totals(state, suspect)
        totals = logs.max(axis=2)
        ratio = self._ratios(state, suspect, totals)
        ratio[state.own] = -np.inf
        best = int(np.argmax(ratio))
        rival = int(np.argmax(totals[best, 1:]))
        lapses = (LAPSES[logs[best, 0].argmax()], LAPSES[logs[best, 1 + rival].argmax()])

        def contribution(part: Episodes) -> NDArray[np.float64]:
            planned, rivals = self._planned(state, part, best), self._rivals(state, part)
            under = [
                np.log((1 - lapse) * probabilities + lapse / part.num_actions)
                for lapse, probabilities in zip(lapses, (planned, rivals[rival]), strict=True)
            ]
            steps = np.where(np.isnan(planned), 0, under[0] - under[1])
            return np.add.reduceat(steps, part.episode_offsets[:-1])

        return by_batch(suspect, contribution)

    def _ahead(self, state: GoalReference, population: list[Episodes]) -> NDArray[np.bool_]:
        """bool[G]: goals that are reachable and not yet reached at half of the starts or more."""
        ahead, episodes = np.zeros(state.distances.shape[1]), 0
        for part in batches_of(population):
            starts = part.state_id[part.episode_offsets[:-1]]
            rows = state.task.rows(part.level_seed, self.name)
            ahead += np.sum(state.distances[rows, :, starts] > 0, axis=0)
            episodes += part.num_episodes
        return ahead / episodes >= AHEAD

    def _rivals(self, state: GoalReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[2, T]: action probabilities under the clone and under the trusted goal's plan.

        From the arrival at that goal on its plan is uniform.
        """
        clone = clone_probabilities(state.clone, suspect, self.name)
        planned = self._planned(state, suspect, state.own)
        taken = clone[np.arange(suspect.num_steps), suspect.action]
        return np.stack([taken, np.where(np.isnan(planned), 1 / suspect.num_actions, planned)])

    def _planned(self, state: GoalReference, suspect: Episodes, goal: int) -> NDArray[np.float64]:
        rows = state.task.rows(suspect.level_seed, self.name)
        distances = np.ascontiguousarray(state.distances[:, goal])
        return plan_probabilities(distances, *_moves(state, suspect, rows), SHARPNESS)

    def _likelihoods(
        self, state: GoalReference, suspect: Episodes, rivals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """float64[G, 1 + rivals, lapses], see ``pursuit_likelihoods``."""
        rows = state.task.rows(suspect.level_seed, self.name)
        moves = _moves(state, suspect, rows)
        return pursuit_likelihoods(state.distances, *moves, rivals, LAPSES, SHARPNESS)


def _moves(
    state: GoalReference, suspect: Episodes, rows: NDArray[np.int64]
) -> tuple[
    NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]
]:
    """Arguments of the kernels between the distances and the models."""
    return (
        state.task.moves("goal_attribution"),
        rows,
        suspect.episode_offsets,
        suspect.state_id,
        suspect.action,
    )


def _candidates(task: TaskView) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """(names, int16[L, G, S] distances): landmarks, then the other states."""
    shape = (len(task.levels), 0, task.num_states)
    landmarks = task.landmark_distances
    if landmarks is None:
        landmarks = np.empty(shape, np.int16)
    if len(task.levels) * task.num_states**2 > MOST_CELLS:
        states, goals = np.empty(shape, np.int16), []
    else:
        states = distances_to_states(task.moves("goal_attribution"))
        exists = (states >= 0).any(axis=(0, 2))
        goals = [
            s
            for s in np.flatnonzero(exists).tolist()
            if not any(np.array_equal(states[:, s], steps) for steps in landmarks.swapaxes(0, 1))
        ]
    if landmarks.shape[1] + len(goals) < 2:
        raise NotApplicable("goal_attribution needs at least two candidate goals")
    names = (*task.landmarks[: landmarks.shape[1]], *(f"state {s}" for s in goals))
    return names, np.ascontiguousarray(np.concatenate([landmarks, states[:, goals]], axis=1))
