"""What an optimal policy of a reward model does in mazes, exactly: no training takes part.

If such a policy misses the cheese, the reward model is at fault and not the training of a policy.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.rewards.irl import optimal_policy, soft_policy, soft_values
from proxylab.rewards.tabular import (
    ENDED,
    GoalShares,
    TabularMDP,
    goal_cells,
    goal_shares,
    maze_table,
)
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.maze_corner import MazeCorner
from proxylab_envs.maze_corner.dynamics import MOUSE

SOFT_TOLERANCE = 1e-6
"""Largest error of a soft value, nats."""

Pays = Callable[[NDArray[Any]], NDArray[Any]]
"""function of observations [K, ...] -> float[K], the reward of arriving at what they show."""


def maze_observations(env: MazeCorner, level_seed: int) -> NDArray[np.uint8]:
    """uint8[C, 3, S, S]: what is observed with the mouse on each of the C = S² cells.

    Those of walls are no states; they are there so that a cell's number is its index.

    Args:
        env: the environment, observed as planes; its first maze is started anew.
        level_seed: seed of the level.
    """
    env.reset_levels(np.array([level_seed]), np.array([0]))
    planes = np.repeat(env.observe()[:1].copy(), env.num_states, axis=0)
    planes[:, MOUSE] = np.eye(env.num_states, dtype=np.uint8).reshape(planes[:, MOUSE].shape)
    return planes


def arrival_rewards(table: TabularMDP, cell_rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[S, A]: the reward of each move of a maze, from that of each cell (float64[C]).

    The last cell of an episode is paid for ever, as the clips of a rater and the training on a
    reward model continue an episode that has ended.
    """
    rewards = cell_rewards[table.arrivals]
    return np.where(table.successors == ENDED, rewards / (1 - table.discount), rewards)


def penalised_policy(
    table: TabularMDP, rewards: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """The policy that maximises Σ γ^t (r − β KL(π(· | s) ‖ uniform)): float64[S, A].

    Soft value iteration on r/β − ln A; with β = 0 the optimal policy, ties shared equally.

    Args:
        table: the environment.
        rewards: float64[S, A].
        penalty: β.
    """
    if not penalty:
        return optimal_policy(table, rewards)
    scaled = rewards / penalty - math.log(table.num_actions)
    values = np.zeros(table.num_states)
    soft_values(table.successors, scaled, table.discount, SOFT_TOLERANCE, values)
    return soft_policy(table.successors, scaled, table.discount, values)


def shares_of_optimum(
    pays: Pays,
    env: MazeCorner,
    level_seeds: Sequence[int],
    *,
    discount: float,
    penalties: Sequence[float] = (0.0,),
) -> list[GoalShares]:
    """How often the optimal policies of a reward reach the goals of mazes.

    Args:
        pays: the reward.
        env: the environment, observed as planes.
        level_seeds: of the mazes.
        discount: γ.
        penalties: weights β of the divergence from the uniform policy.

    Returns:
        For each penalty the means over mazes.
    """
    each = [_shares(pays, env, level, discount, penalties) for level in level_seeds]
    return [
        GoalShares(
            cheese=float(np.mean([shares[k].cheese for shares in each])),
            corner_first=float(np.mean([shares[k].corner_first for shares in each])),
        )
        for k in range(len(penalties))
    ]


class OptimalMouse:
    """The optimal policy of a reward, planned anew in every maze, as a policy that plays.

    Attributes:
        name: of the policy.
        task: it plays.
    """

    task = "maze-corner"

    def __init__(self, name: str, pays: Pays, discount: float) -> None:
        """Plan for the reward ``pays`` with discount γ."""
        self.name, self.pays, self.discount = name, pays, discount
        self._planned = functools.lru_cache(4_096)(self._plan)
        self._mazes: MazeCorner | None = None

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, 4] in the mazes ``indices`` (int64[K]), ties shared equally."""
        assert isinstance(env, MazeCorner)
        if self._mazes is None:
            self._mazes = MazeCorner(1, env.config)
        seeds, cells = env.core.level_seeds[indices], env.core.state_ids[indices]
        each = zip(seeds.tolist(), cells.tolist(), strict=True)
        return np.stack([self._planned(seed)[cell] for seed, cell in each])

    def _plan(self, level_seed: int) -> NDArray[np.float32]:
        """float32[C, 4]: the optimal policy in one maze, by cell."""
        assert self._mazes is not None
        table = maze_table(self._mazes, level_seed, self.discount)
        by_cell = np.full((self._mazes.num_states, table.num_actions), 1 / table.num_actions)
        by_cell[table.cells] = optimal_policy(
            table, _paid(self.pays, self._mazes, level_seed, table)
        )
        return by_cell.astype(np.float32)


def _paid(pays: Pays, env: MazeCorner, level_seed: int, table: TabularMDP) -> NDArray[np.float64]:
    """float64[S, A]: the reward of each move of one maze."""
    cells = np.zeros(env.num_states)
    arrived = np.unique(table.arrivals)
    cells[arrived] = pays(maze_observations(env, level_seed)[arrived])
    return arrival_rewards(table, cells)


def _shares(
    pays: Pays, env: MazeCorner, level_seed: int, discount: float, penalties: Sequence[float]
) -> list[GoalShares]:
    """For each penalty the shares in one maze."""
    table = maze_table(env, level_seed, discount)
    _, corner = goal_cells(env, level_seed)
    rewards = _paid(pays, env, level_seed, table)
    policies = [penalised_policy(table, rewards, penalty) for penalty in penalties]
    return [goal_shares(table, p, [corner], env.max_episode_steps) for p in policies]
