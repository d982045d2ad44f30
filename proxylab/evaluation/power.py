"""POWER of states: how well an optimal agent fares from a state, on average over rewards.

Turner et al. 2021, "Optimal Policies Tend to Seek Power", arXiv 1912.01683: for rewards R of
states and a discount γ in (0, 1),

    POWER(s) = (1 − γ)/γ · E_R[V*_R(s) − R(s)] = (1 − γ) · E_R[max_a V*_R(s_a)],

with s_a the state that action a leads to; the second form holds as moves are deterministic. It is
a mean reward per step from the next step on, in reward units. Rewards are drawn, and V* of each
draw is computed by value iteration, so the mean over draws has a standard error. Every state of
a graph sees the same draws; differences between states are more precise than their values.

With rewards iid uniform on [0, 1], POWER lies between 1/2 (only one path leads on) and n/(n + 1)
(n states, each one step away and with a move to itself).
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from proxylab.evaluation.state_graphs import StateGraph
from proxylab.rewards.irl import best_values

TOLERANCE = 1e-6
"""Largest error of value iteration in POWER, reward units."""

PEAK_ERRORS = 4.0
"""Standard errors of a clear difference between neighbours: false alarms 6 in 100,000."""


@dataclass(frozen=True)
class StatePower:
    """POWER of every state of a graph.

    Attributes:
        power: float64[S], reward units.
        standard_error: float64[S], of the mean over draws of the reward.
        discount: γ.
        draws: number of draws.
    """

    power: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    discount: float
    draws: int

    def normalised(self) -> NDArray[np.float64]:
        """float64[S]: 0 at the least POWER of the graph, 1 at the most; NaN if all are equal."""
        least, most = self.power.min(), self.power.max()
        return (self.power - least) / (most - least if most > least else np.nan)


def uniform_rewards(draws: int, num_states: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """float64[draws, S]: rewards of states, iid uniform on [0, 1], as in the paper."""
    return rng.random((draws, num_states))


def state_power(graph: StateGraph, rewards: NDArray[np.float64], discount: float) -> StatePower:
    """POWER of every state.

    Args:
        graph: the states and their moves.
        rewards: float64[D, S], D ≥ 2 draws of the reward of every state.
        discount: γ in (0, 1).

    Raises:
        ValueError: fewer than two draws, or an argument of :func:`attained` is wrong.
    """
    if len(rewards) < 2:
        raise ValueError("POWER needs at least two draws of the reward")
    values = attained(graph, rewards, discount)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return StatePower(values.mean(axis=0), error, discount, len(values))


def attained(
    graph: StateGraph, rewards: NDArray[np.float64], discount: float
) -> NDArray[np.float64]:
    """(1 − γ)/γ · (V*_R(s) − R(s)) for each draw of R: float64[D, S]; its mean is POWER.

    Args:
        graph: the states and their moves.
        rewards: float64[D, S].
        discount: γ in (0, 1).

    Raises:
        ValueError: γ is not in (0, 1), or rewards do not fit the graph or are not finite.
    """
    rewards = np.ascontiguousarray(rewards, np.float64)
    if not 0 < discount < 1:
        raise ValueError(f"discount {discount} is not in (0, 1)")
    if rewards.ndim != 2 or rewards.shape[1] != graph.num_states:
        raise ValueError(f"rewards are {list(rewards.shape)}, not [D, {graph.num_states}]")
    if not np.isfinite(rewards).all():
        raise ValueError("rewards must be finite")
    out = np.empty_like(rewards)
    _attain(graph.successors, rewards, discount, TOLERANCE / (1 - discount), out)
    return out


@numba.njit(cache=True)
def _attain(
    successors: NDArray[np.int64],
    rewards: NDArray[np.float64],
    discount: float,
    tolerance: float,
    out: NDArray[np.float64],
) -> None:
    """:func:`attained`; where a state can stay, staying is the first guess, a lower bound.

    Args:
        successors: int64[S, A].
        rewards: float64[D, S].
        discount: γ.
        tolerance: largest error of a value.
        out: float64[D, S], overwritten.
    """
    num_states, num_actions = successors.shape
    arrivals = np.empty((num_states, num_actions))
    for draw in range(rewards.shape[0]):
        reward, values = rewards[draw], out[draw]
        for s in range(num_states):
            values[s] = 0.0
            for a in range(num_actions):
                there = successors[s, a]
                arrivals[s, a] = reward[there]
                if there == s:
                    values[s] = reward[s] / (1 - discount)
        best_values(successors, arrivals, discount, tolerance, values)
        values *= 1 - discount


def peaks(
    graph: StateGraph, values: NDArray[np.float64], errors: float = PEAK_ERRORS
) -> NDArray[np.int64]:
    """The local maxima of POWER that are no accident of the draws.

    Neighbours whose paired difference is within ``errors`` standard errors are not told apart;
    a peak is a connected group of such states without a neighbour that is clearly higher.

    Args:
        graph: the states and their moves.
        values: float64[D, S], from :func:`attained`.
        errors: standard errors of a clear difference.

    Returns:
        int64[S]: number of each state's peak, from 0; -1 for states of none.
    """
    ahead = np.empty(graph.successors.shape)
    for action, there in enumerate(graph.successors.T):
        apart = values[:, there] - values
        error = apart.std(axis=0, ddof=1) / np.sqrt(len(values))
        mean = apart.mean(axis=0)
        ahead[:, action] = np.where(np.abs(mean) <= errors * error, 0.0, mean)
    states, actions = np.nonzero(ahead == 0)
    links = (np.ones(len(states)), (states, graph.successors[states, actions]))
    size = (graph.num_states, graph.num_states)
    _, group = connected_components(coo_matrix(links, size), directed=False)
    climbed = np.unique(group[(ahead > 0).any(axis=1)])
    tops = np.setdiff1d(group, climbed)
    return np.where(np.isin(group, tops), np.searchsorted(tops, group), -1)


def best_moves(
    graph: StateGraph, rewards: NDArray[np.float64], discount: float
) -> NDArray[np.int64]:
    """int64[S]: the next state of an optimal policy of one reward of states (float64[S])."""
    (ahead,) = attained(graph, rewards[None], discount)
    worth = (1 - discount) * rewards + discount * ahead
    return _highest(graph, worth)


def climbing_moves(graph: StateGraph, power: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[S]: the neighbour of highest POWER (float64[S]); a local maximum stays if it can."""
    return _highest(graph, power)


def _highest(graph: StateGraph, worth: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[S]: the successor of highest worth (float64[S])."""
    best = worth[graph.successors].argmax(axis=1)
    return graph.successors[np.arange(graph.num_states), best]


def follow(moves: NDArray[np.int64], start: int, steps: int) -> NDArray[np.int64]:
    """int64[steps + 1]: the path of a policy given by next states (int64[S]), its start first."""
    path = np.empty(steps + 1, np.int64)
    path[0] = start
    for step in range(steps):
        path[step + 1] = moves[path[step]]
    return path


@dataclass(frozen=True)
class Gain:
    """What a path gains of a quantity of states, in its unit.

    Attributes:
        end: the last state's minus the first one's.
        way: mean over the different states visited, without the first one, minus the first
            one's; 0 if the path never leaves it.
    """

    end: float
    way: float


def gain(worth: NDArray[np.float64], path: NDArray[np.int64]) -> Gain:
    """:class:`Gain` of a path (int64[T + 1], rows of states) in a quantity (float64[S])."""
    first = path[0]
    others = np.unique(path[path != first])
    way = worth[others].mean() - worth[first] if len(others) else 0.0
    return Gain(float(worth[path[-1]] - worth[first]), float(way))
