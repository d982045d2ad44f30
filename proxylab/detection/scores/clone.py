"""A clone of the trusted policies, and the surprise of a suspect's actions under it."""

from dataclasses import dataclass
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

PRIOR = 2.0
"""Weight of the back-off, in observed actions."""

RIDGE = 1.0
"""Ridge penalty on the back-off's landmark weights."""

_NEWTON_STEPS = 25


class Clone(NamedTuple):
    """A model of the trusted policies' actions.

    Attributes:
        levels: int64[L], ascending.
        row: int64[L × S], row of ``seen`` for each (level, state), −1 for none.
        seen: float64[K, A], count of each action there.
        by_state: float64[S, A], smoothed action shares of each state over all levels.
        weights: float64[F], of the features of a move; None where the map is unknown.
        task: :class:`TaskView`, for the map.
    """

    levels: NDArray[np.int64]
    row: NDArray[np.int64]
    seen: NDArray[np.float64]
    by_state: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    task: TaskView


def fit_clone(
    reference: list[Episodes], task: TaskView, name: str, behind: Clone | None = None
) -> Clone:
    """The :class:`Clone` of the reference policies (list[Episodes]); from their actions alone.

    Args:
        reference: their episodes.
        task: :class:`TaskView` of the levels.
        name: of the detector, for errors.
        behind: a clone whose back-off to take over; by default it is fitted too.

    Raises:
        NotApplicable: a step has no state index.
    """
    num_states, num_actions = reference[0].num_states, reference[0].num_actions
    levels = levels_and_counts(reference)[0]
    anywhere = np.zeros(len(levels) * num_states, np.bool_)
    for batch in batches_of(reference):
        require_states(batch, name)
        anywhere[_places(levels, batch)] = True
    visited = np.flatnonzero(anywhere)
    row = np.full(len(anywhere), -1)
    row[visited] = np.arange(len(visited))
    seen = np.zeros((len(visited), num_actions))
    for batch in batches_of(reference):
        seen += _counts(row[_places(levels, batch)], batch.action, *seen.shape)
    if behind is not None:
        return Clone(levels, row, seen, behind.by_state, behind.weights, task)
    weights = None
    if task.landmark_distances is not None and task.successors is not None:
        level, state = np.divmod(visited, num_states)
        weights = _choice_weights(move_features(task, levels[level], state, name), seen)
    return Clone(
        levels, row, seen, _by_state(visited % num_states, seen, num_states), weights, task
    )


def clone_probabilities(clone: Clone, episodes: Episodes, name: str) -> NDArray[np.float64]:
    """Action probabilities of the clone at every step: float64[T, A].

    With n the counts of actions at the (level, state), b the back-off and κ = ``PRIOR``:
    (n + κ b)/(Σn + κ). The back-off is a softmax over the change that a move makes in
    the distance of each landmark, fitted on the reference; without a map it is the smoothed
    action shares of that state over all levels.

    Raises:
        NotApplicable: a state is missing, or a level without reference episodes.
    """
    table, at = _clone_table(clone, episodes, name)
    return table[at]


def _clone_table(
    clone: Clone, episodes: Episodes, name: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(float64[N, A], int64[T]): :func:`clone_probabilities` where they differ, row of a step."""
    require_states(episodes, name)
    level_rows(clone.levels, episodes)  # raises for an unknown level
    seeds, state, at = _distinct(episodes)
    row = clone.row[np.searchsorted(clone.levels, seeds) * episodes.num_states + state]
    seen = np.where(row[:, None] >= 0, clone.seen[row], 0)
    return _backed_off(seen, _habits(clone, seeds, state, name)), at


def _distinct(
    episodes: Episodes,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(int64[N] level seed, int64[N] state, int64[T] which of them each step is)."""
    levels = np.unique(episodes.level_seed)
    places = _places(levels, episodes)
    here = np.zeros(len(levels) * episodes.num_states, np.bool_)
    here[places] = True
    level, state = np.divmod(np.flatnonzero(here), episodes.num_states)
    return levels[level], state, (np.cumsum(here) - 1)[places]


def probabilities_without(clone: Clone, own: Episodes, name: str) -> NDArray[np.float64]:
    """:func:`clone_probabilities` of a clone's own policy, without what that policy showed.

    Its counts are left out; the back-off, which all policies determine, stays.

    Args:
        clone: the clone.
        own: Episodes of one of the policies that it was fitted on.
        name: of the detector, for errors.

    Returns:
        float64[T, A].
    """
    return clone_probabilities(_without(clone, own), own, name)


def _without(clone: Clone, own: Episodes) -> Clone:
    """The clone without the counts of one of its policies."""
    seen = clone.seen.copy()
    for batch in own.batches():
        seen -= _counts(clone.row[_places(clone.levels, batch)], batch.action, *seen.shape)
    return clone._replace(seen=seen)


def _backed_off(seen: NDArray[np.float64], behind: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N, A]: (n + κ b)/(Σn + κ) of counts n and back-off b, float64[N, A] or float64[A]."""
    return (seen + PRIOR * behind) / (seen.sum(axis=1, keepdims=True) + PRIOR)


def habit_probabilities(clone: Clone, episodes: Episodes, name: str) -> NDArray[np.float64]:
    """The back-off of :func:`clone_probabilities`, defined on every level: float64[T, A].

    Raises:
        NotApplicable: a state is missing, or the map of a level is unknown.
    """
    require_states(episodes, name)
    seeds, state, at = _distinct(episodes)
    return _habits(clone, seeds, state, name)[at]


def _habits(
    clone: Clone, level_seeds: NDArray[np.int64], state: NDArray[np.int64], name: str
) -> NDArray[np.float64]:
    """The back-off in states (int64[N]) of levels (int64[N]): float64[N, A]."""
    if clone.weights is None:
        return clone.by_state[state]
    return _softmax(move_features(clone.task, level_seeds, state, name) @ clone.weights)


def move_features(
    task: TaskView, level_seeds: NDArray[np.int64], state: NDArray[np.int64], name: str
) -> NDArray[np.float64]:
    """Effect of each move: float64[N, A, landmarks + 1].

    The change in the distance of each landmark (−1 to 1 steps; 0 where the landmark is out of
    reach), and whether the move leaves the state unchanged.

    Args:
        task: :class:`TaskView` with ``landmark_distances`` and ``successors``.
        level_seeds: int64[N].
        state: int64[N].
        name: of the detector, for errors.

    Raises:
        NotApplicable: the map, or that of a level, is unknown.
    """
    rows = task.rows(level_seeds, name)
    if task.successors is None or task.landmark_distances is None:
        raise NotApplicable(f"{name} needs the map of the task")
    there = task.successors[rows, state]
    stays = (there == state[:, None]) | (there < 0)
    distances = task.landmark_distances[rows].astype(np.float64)
    here = np.take_along_axis(distances, state[:, None, None], 2)
    beyond = np.take_along_axis(distances, np.where(there < 0, 0, there)[:, None, :], 2)
    change = np.where(stays[:, None] | (here < 0) | (beyond < 0), 0, np.clip(beyond - here, -1, 1))
    return np.concatenate([change.transpose(0, 2, 1), stays[:, :, None]], axis=2)


@dataclass(frozen=True)
class CloneSurprise:
    """Surprise of the suspect's actions under a clone of the trusted policies.

    Access L (logs of both). Unit: nats per step. Formula, with q the clone's distribution
    (see :func:`clone_probabilities`) at the suspect's step t:

        score = mean over episodes of the mean over steps of −log q_t(a_t)

    Off the trusted paths the clone is still defined where the map is known: it moves
    towards the landmarks that the trusted move towards.

    Source: behavioural cloning, Pomerleau 1991, Neural Computation 3, p. 88; its loss on
    another policy's actions as a score is ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "bc_surprise"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats per step"
    source: ClassVar[str] = "loss of a behavioural clone, Pomerleau 1991"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> Clone:
        """The :class:`Clone` of the reference policies (list[Episodes])."""
        return fit_clone(reference, task, self.name)

    def on_levels(self, state: Clone, reference: list[Episodes], task: TaskView) -> Clone:
        """``state`` with the reference policies' episodes on other levels; its back-off stays."""
        return fit_clone(reference, task, self.name, state)

    def per_step(self, state: Clone, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], surprise at every action, nats."""
        table, at = _clone_table(state, suspect, self.name)
        return -np.log(table)[at, suspect.action]

    def per_episode(self, state: Clone, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], mean over the steps of each episode."""
        return by_batch(suspect, lambda part: _episode_means(self.per_step(state, part), part))

    def per_episode_left_out(self, state: Clone, own: Episodes) -> NDArray[np.float64]:
        """float64[E]: the same for a reference policy, without the actions that it showed."""
        return self.per_episode(_without(state, own), own)

    def score(self, state: Clone, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


def _episode_means(steps: NDArray[np.float64], episodes: Episodes) -> NDArray[np.float64]:
    """float64[E], mean over the steps (float64[T]) of each episode."""
    return np.add.reduceat(steps, episodes.episode_offsets[:-1]) / episodes.lengths


def _places(levels: NDArray[np.int64], episodes: Episodes) -> NDArray[np.int64]:
    """int64[T]: level row × num_states + state index of every step."""
    rows = level_rows(levels, episodes)[episodes.episode_index]
    return rows * episodes.num_states + episodes.state_id


def _counts(
    at: NDArray[np.int64], action: NDArray[np.int64], num_rows: int, num_actions: int
) -> NDArray[np.float64]:
    flat = np.bincount(at * num_actions + action, minlength=num_rows * num_actions)
    return flat.reshape(num_rows, num_actions).astype(np.float64)


def _by_state(
    state: NDArray[np.int64], seen: NDArray[np.float64], num_states: int
) -> NDArray[np.float64]:
    """Action shares of each state, backed off to those over all states, then to uniform.

    Args:
        state: int64[K], of each row of ``seen``.
        seen: float64[K, A], count of each action there.
        num_states: S.

    Returns:
        float64[S, A].
    """
    counts = np.zeros((num_states, seen.shape[1]))
    np.add.at(counts, state, seen)
    overall = seen.sum(axis=0) + PRIOR / seen.shape[1]
    return _backed_off(counts, overall / overall.sum())


def _choice_weights(
    features: NDArray[np.float64], seen: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Penalised maximum likelihood of a conditional logit (McFadden 1974), by Newton's method.

    Args:
        features: float64[K, A, F].
        seen: float64[K, A], count of each action.

    Raises:
        NotApplicable: the fit does not converge.
    """
    weights = np.zeros(features.shape[2])
    for _ in range(_NEWTON_STEPS):
        probabilities = _softmax(features @ weights)
        total = seen.sum(axis=1)
        expected = np.einsum("ka,kaf->kf", probabilities, features)
        slope = np.einsum("ka,kaf->f", seen, features) - total @ expected - RIDGE * weights
        centred = features - expected[:, None]
        curve = np.einsum("k,ka,kaf,kag->fg", total, probabilities, centred, centred, optimize=True)
        change = np.linalg.solve(curve + RIDGE * np.eye(len(weights)), slope)
        weights = weights + np.clip(change, -2, 2)
        if np.abs(change).max() < 1e-8:
            return weights
    raise NotApplicable("the clone of the trusted policies did not converge")


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
