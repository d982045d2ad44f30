"""Deterministic environments as graphs of states, without rewards: a successor table.

A graph has no end: where an episode would end, the state leads to itself.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order

from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.planning import distances_to_states
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.grid.paths import COL_STEP, ROW_STEP


@dataclass(frozen=True)
class StateGraph:
    """States and their deterministic moves; checked on construction.

    Attributes:
        successors: int64[S, A] in [0, S), the state that each action leads to.
        states: int64[S], the environment's own number of each state, ascending.

    Raises:
        ValueError: no states, a successor outside the graph, or unsorted numbers.
    """

    successors: NDArray[np.int64]
    states: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.successors.ndim != 2 or not self.successors.size:
            raise ValueError(f"successors must be int[S, A], not {list(self.successors.shape)}")
        if self.successors.min() < 0 or self.successors.max() >= self.num_states:
            raise ValueError(f"a successor is not in [0, {self.num_states})")
        if len(self.states) != self.num_states or (np.diff(self.states) <= 0).any():
            raise ValueError("states must be one ascending number for each row of successors")

    @property
    def num_states(self) -> int:
        """S."""
        return len(self.successors)

    def rows(self, states: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[K]: the rows of states by the environment's own numbers (int64[K]).

        Raises:
            ValueError: a number is no state of the graph.
        """
        rows = np.searchsorted(self.states, states)
        if (self.states[np.minimum(rows, self.num_states - 1)] != states).any():
            raise ValueError("a state is not in the graph")
        return rows

    def reachable(self, row: int) -> int:
        """Number of states that some way from ``row`` leads to, itself included."""
        starts = np.repeat(np.arange(self.num_states), self.successors.shape[1])
        links = (np.ones(len(starts)), (starts, self.successors.ravel()))
        table = coo_matrix(links, (self.num_states, self.num_states)).tocsr()
        return len(breadth_first_order(table, row, return_predecessors=False))

    def within(self, steps: int) -> NDArray[np.int64]:
        """int64[S]: number of states that at most ``steps`` steps lead to, itself included."""
        table = self.successors[None].astype(np.int32)
        distances = distances_to_states(table)[0]
        return ((distances >= 0) & (distances <= steps)).sum(axis=0)


def state_graph(next_states: NDArray[np.integer[Any]], ends: Collection[int] = ()) -> StateGraph:
    """The graph of a successor table.

    Args:
        next_states: int[C, A], number of the state that each action leads to, negative in the
            rows of states that do not exist.
        ends: states at which an episode ends; they lead to themselves.

    Raises:
        ValueError: a move leads to a state that does not exist.
    """
    moves = np.asarray(next_states).astype(np.int64)
    last = np.array(sorted(ends), np.int64)
    moves[last] = last[:, None]
    states = np.flatnonzero(moves[:, 0] >= 0)
    numbers = np.full(len(moves), -1)
    numbers[states] = np.arange(len(states))
    return StateGraph(numbers[moves[states]], states)


def level_graph(env: BatchedEnv[Any], level_seed: int, ends: Collection[int] = ()) -> StateGraph:
    """The graph of one level of an environment with :meth:`BatchedEnv.successors`.

    In mazes the states are the free cells, and a move into a wall stays.

    Args:
        env: the environment; it is not stepped.
        level_seed: seed of the level.
        ends: see :func:`state_graph`.

    Raises:
        ValueError: the environment has no successor table.
    """
    moves = env.successors(np.array([level_seed]))
    if moves is None:
        raise ValueError(f"{env.env_id} has no table of successors")
    return state_graph(moves[0], ends)


def visited(episodes: Episodes, env: BatchedEnv[Any]) -> list[NDArray[np.int64]]:
    """The states of each episode by the environment's own numbers, the last one included.

    Args:
        episodes: of deterministic levels; the state after the last step is read from the table.
        env: their environment, with :meth:`BatchedEnv.successors`; it is not stepped.

    Returns:
        One int64[T + 1] for each episode.

    Raises:
        ValueError: the environment has no successor table.
    """
    paths = []
    for number, level_seed in enumerate(episodes.level_seed.tolist()):
        moves = env.successors(np.array([level_seed]))
        if moves is None:
            raise ValueError(f"{env.env_id} has no table of successors")
        first, end = episodes.episode_offsets[number : number + 2]
        states, last = episodes.state_id[first:end], episodes.action[end - 1]
        paths.append(np.append(states, moves[0, states[-1], last]).astype(np.int64))
    return paths


def walked(graph: StateGraph, first: int, actions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """int64[T + 1]: rows of the states that ``actions`` (int[T]) lead through from ``first``."""
    path = [first]
    for action in actions.tolist():
        path.append(int(graph.successors[path[-1], action]))
    return np.array(path, np.int64)


def grid_graph(free: NDArray[np.bool_], *, stay: bool = False) -> StateGraph:
    """The free cells of a grid; a move into a wall or over the border stays.

    Args:
        free: bool[H, W]; a cell's number is row · W + column.
        stay: whether a fifth action stays, after up, down, left and right.
    """
    height, width = free.shape
    rows, columns = np.nonzero(free)
    steps = [*zip(ROW_STEP, COL_STEP, strict=True)] + [(0, 0)] * stay
    moves = np.full((free.size, len(steps)), -1)
    for action, (down, right) in enumerate(steps):
        there = rows + down, columns + right
        inside = (there[0] >= 0) & (there[0] < height) & (there[1] >= 0) & (there[1] < width)
        to = [np.where(inside, there[k], here) for k, here in enumerate((rows, columns))]
        open_ = free[to[0], to[1]]
        to = [np.where(open_, to[k], here) for k, here in enumerate((rows, columns))]
        moves[rows * width + columns, action] = to[0] * width + to[1]
    return state_graph(moves)
