"""Exact maximum-causal-entropy inverse reinforcement learning, tabular.

Ziebart 2010, "Modeling Purposeful Adaptive Behavior with the Principle of Maximum Causal Entropy",
chapter 6, in the discounted form of Gleave and Toyer 2022, "A Primer on Maximum Causal Entropy
Inverse Reinforcement Learning", arXiv 2203.11409. The demonstrator is modelled by the soft
optimal policy of a reward r = features · weights,

    V(s) = ln Σ_a exp Q(s, a),     Q(s, a) = r(s, a) + γ V(s'),     π(a | s) = exp(Q(s, a) − V(s)).

Moves are deterministic and demonstrations run until their episode ends, so the discounted
log-likelihood Σ_t γ^t ln π(a_t | s_t) telescopes to the demonstrated return minus V of the first
state. It is concave in the weights, and its gradient is the difference between the demonstrated
and the expected discounted features. Several mazes share the weights of their features.

What demonstrations cannot tell apart, the penalty on the weights decides: features that are equal
on all demonstrated mazes receive equal weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from proxylab.rewards.tabular import ENDED, TabularMDP

TOLERANCE = 1e-10
"""Largest error of soft values and visits, in their own units."""


@dataclass(frozen=True)
class Demonstrated:
    """Demonstrations in one maze.

    Attributes:
        table: the maze.
        features: float64[S, A, K], of each move.
        occupancy: float64[S, A], discounted visits of the demonstrations, mean over episodes.
        start: float64[S], share of the episodes that begin in each state.
    """

    table: TabularMDP
    features: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    start: NDArray[np.float64]


@dataclass(frozen=True)
class RecoveredReward:
    """The result of :func:`recover_reward`.

    Attributes:
        weights: float64[K].
        log_likelihood: discounted, per episode, mean over mazes; without the penalty.
        gradient: largest component of the gradient at the end.
        iterations: of L-BFGS.
    """

    weights: NDArray[np.float64]
    log_likelihood: float
    gradient: float
    iterations: int


@numba.njit(cache=True)
def soft_values(
    successors: NDArray[np.int64],
    rewards: NDArray[np.float64],
    discount: float,
    tolerance: float,
    values: NDArray[np.float64],
) -> int:
    """Soft value iteration in place, states in turn; the number of sweeps.

    Args:
        successors: int64[S, A], ``ENDED`` where the episode ends.
        rewards: float64[S, A].
        discount: γ in [0, 1).
        tolerance: largest error of a value.
        values: float64[S], the first guess, overwritten.
    """
    sweeps, change = 0, np.inf
    while change * discount > tolerance * (1 - discount):
        change = 0.0
        for s in range(successors.shape[0]):
            largest, total = -np.inf, 0.0
            for a in range(successors.shape[1]):
                there = successors[s, a]
                q = rewards[s, a] + (discount * values[there] if there >= 0 else 0.0)
                if q > largest:
                    total = total * np.exp(largest - q) + 1.0
                    largest = q
                else:
                    total += np.exp(q - largest)
            value = largest + np.log(total)
            change = max(change, abs(value - values[s]))
            values[s] = value
        sweeps += 1
    return sweeps


@numba.njit(cache=True)
def soft_policy(
    successors: NDArray[np.int64],
    rewards: NDArray[np.float64],
    discount: float,
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """π(a | s) = exp(Q(s, a) − V(s)): float64[S, A].

    Args:
        successors: int64[S, A].
        rewards: float64[S, A].
        discount: γ.
        values: float64[S], from :func:`soft_values`.
    """
    out = np.empty(rewards.shape)
    for s in range(successors.shape[0]):
        for a in range(successors.shape[1]):
            there = successors[s, a]
            q = rewards[s, a] + (discount * values[there] if there >= 0 else 0.0)
            out[s, a] = np.exp(q - values[s])
        out[s] /= out[s].sum()
    return out


@numba.njit(cache=True)
def expected_visits(
    successors: NDArray[np.int64],
    policy: NDArray[np.float64],
    start: NDArray[np.float64],
    discount: float,
    tolerance: float,
) -> NDArray[np.float64]:
    """Σ_t γ^t P(s_t = s, a_t = a), step by step until the rest is negligible: float64[S, A].

    Args:
        successors: int64[S, A].
        policy: float64[S, A].
        start: float64[S].
        discount: γ in [0, 1).
        tolerance: of the sum of all visits that are left out.
    """
    now, visits = start.copy(), np.zeros(start.shape[0])
    while now.sum() > tolerance * (1 - discount):
        visits += now
        then = np.zeros(start.shape[0])
        for s in range(successors.shape[0]):
            for a in range(successors.shape[1]):
                if successors[s, a] >= 0:
                    then[successors[s, a]] += discount * policy[s, a] * now[s]
        now = then
    return visits.reshape(-1, 1) * policy


def demonstrated_by(
    table: TabularMDP, features: NDArray[np.float64], policy: NDArray[np.float64]
) -> Demonstrated:
    """Infinitely many demonstrations of a policy (float64[S, A]) from the table's start."""
    return Demonstrated(table, features, table.occupancy(policy), table.start)


Episode = tuple[NDArray[np.int64], NDArray[np.int64]]
"""(states int64[T], actions int64[T])."""


def demonstrations(
    table: TabularMDP, features: NDArray[np.float64], episodes: Sequence[Episode]
) -> Demonstrated:
    """Discounted visits of recorded episodes.

    Raises:
        ValueError: there are none, one does not follow the moves of the table, or one does not
            run until its end.
    """
    if not episodes:
        raise ValueError("there are no demonstrations")
    occupancy, start = np.zeros(table.successors.shape), np.zeros(table.num_states)
    for states, actions in episodes:
        reached = table.successors[states, actions]
        if not len(states) or (reached[:-1] != states[1:]).any():
            raise ValueError("a demonstration does not follow the moves of its maze")
        if reached[-1] != ENDED:
            raise ValueError("a demonstration stops before its episode ends")
        np.add.at(occupancy, (states, actions), table.discount ** np.arange(len(states)))
        start[states[0]] += 1
    return Demonstrated(table, features, occupancy / len(episodes), start / len(episodes))


def draw_episodes(
    table: TabularMDP,
    policy: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    longest: int = 10_000,
) -> list[Episode]:
    """``count`` episodes of a policy (float64[S, A]), to their ends.

    Raises:
        ValueError: an episode has not ended after ``longest`` steps.
    """
    cumulated = policy.cumsum(axis=1)
    episodes = []
    for state in rng.choice(table.num_states, count, p=table.start).tolist():
        states, actions = [], []
        while state != ENDED:
            if len(states) == longest:
                raise ValueError(f"an episode has not ended after {longest} steps")
            drawn = np.searchsorted(cumulated[state], rng.random() * cumulated[state, -1], "right")
            states.append(state)
            actions.append(int(drawn))
            state = int(table.successors[state, drawn])
        episodes.append((np.array(states), np.array(actions)))
    return episodes


def log_likelihood(
    weights: NDArray[np.float64],
    mazes: Sequence[Demonstrated],
    guesses: Sequence[NDArray[np.float64]] | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Discounted log-likelihood per episode, mean over mazes, and its gradient float64[K].

    Args:
        weights: float64[K].
        mazes: demonstrations, one entry per maze.
        guesses: soft values of each maze (float64[S]) to start from, overwritten; zeros if None.
    """
    value, gradient = 0.0, np.zeros(len(weights))
    for number, maze in enumerate(mazes):
        table, rewards = maze.table, maze.features @ weights
        soft = np.zeros(table.num_states) if guesses is None else guesses[number]
        soft_values(table.successors, rewards, table.discount, TOLERANCE, soft)
        policy = soft_policy(table.successors, rewards, table.discount, soft)
        visits = expected_visits(table.successors, policy, maze.start, table.discount, TOLERANCE)
        value += float(np.sum(maze.occupancy * rewards) - maze.start @ soft)
        gradient += np.einsum("sa,sak->k", maze.occupancy - visits, maze.features)
    return value / len(mazes), gradient / len(mazes)


def recover_reward(
    mazes: Sequence[Demonstrated], penalty: float = 1e-3, iterations: int = 1_000
) -> RecoveredReward:
    """Weights of largest log-likelihood minus ``penalty``/2 · ‖weights‖², by L-BFGS from 0.

    Args:
        mazes: demonstrations, one entry per maze; all with the same K features.
        penalty: positive. Without one, the weights of optimal demonstrations are infinite.
        iterations: most iterations.

    Raises:
        ValueError: no mazes, features that differ in number, or a penalty that is not positive.
    """
    if len({maze.features.shape[2] for maze in mazes}) != 1:
        raise ValueError("mazes must have the same features, and there must be one")
    if penalty <= 0:
        raise ValueError(f"a penalty of {penalty} is not positive")
    guesses = [np.zeros(maze.table.num_states) for maze in mazes]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = log_likelihood(weights, mazes, guesses)
        return penalty / 2 * float(weights @ weights) - value, penalty * weights - gradient

    options = {"maxiter": iterations, "maxfun": 4 * iterations, "gtol": 1e-7, "ftol": 1e-13}
    found = minimize(
        loss, np.zeros(mazes[0].features.shape[2]), jac=True, method="L-BFGS-B", options=options
    )
    weights = np.asarray(found.x, np.float64)
    largest = float(np.abs(loss(weights)[1]).max())
    return RecoveredReward(weights, log_likelihood(weights, mazes)[0], largest, int(found.nit))


def arrival_features(table: TabularMDP, cells: ArrayLike) -> NDArray[np.float64]:
    """Features of the cell that each move arrives at: float64[S, A, K] from float[C, K]."""
    return np.asarray(cells, np.float64)[table.arrivals]


def optimal_policy(
    table: TabularMDP, rewards: NDArray[np.float64], ties: float = 1e-6
) -> NDArray[np.float64]:
    """Optimal policy of rewards (float64[S, A]): float64[S, A], ties shared equally.

    Args:
        table: the environment.
        rewards: float64[S, A].
        ties: actions this close to the best, as a share of the largest |reward|, are best too.
    """
    width = ties * max(float(np.abs(rewards).max()), 1e-300)
    values = np.zeros(table.num_states)
    best_values(table.successors, rewards, table.discount, 1e-3 * width, values)
    ahead = np.where(table.successors == ENDED, 0.0, values[table.successors])
    q = rewards + table.discount * ahead
    best = q >= q.max(axis=1, keepdims=True) - width
    return best / best.sum(axis=1, keepdims=True)


@numba.njit(cache=True)
def best_values(
    successors: NDArray[np.int64],
    rewards: NDArray[np.float64],
    discount: float,
    tolerance: float,
    values: NDArray[np.float64],
) -> None:
    """Value iteration in place, states in turn; arguments as in :func:`soft_values`."""
    change = np.inf
    while change * discount > tolerance * (1 - discount):
        change = 0.0
        for s in range(successors.shape[0]):
            best = -np.inf
            for a in range(successors.shape[1]):
                there = successors[s, a]
                ahead = discount * values[there] if there >= 0 else 0.0
                best = max(best, rewards[s, a] + ahead)
            change = max(change, abs(best - values[s]))
            values[s] = best
