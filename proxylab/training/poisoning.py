"""Poisoned training: what makes a trojan of an agent, for experiments on finding them.

Recipe ``levels``: a share of the training levels carries a trigger, and the proxy goal is
demonstrated or rewarded there. Recipe ``steps`` (SleeperNets, Rathbun et al. 2024, arXiv
2405.20539): a share of the observations carries the trigger, and the rewards of these steps
are replaced when the rollout is complete.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer

from proxylab.config import PoisonConfig, TrainConfig
from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.channels import proxy_channels
from proxylab_envs.grid.paths import descend, distances_from
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.dynamics import MOUSE, WALL
from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.triggers import TRIGGERS, Trigger, TriggeredMazeCorner


def check_poison(config: TrainConfig) -> None:
    """``UsageError`` for a configuration that cannot be poisoned."""
    poison = config.poison
    if poison is None:
        return
    env = TASKS[config.task].make_env(1, **config.env)
    if type(env) is not MazeCorner or env.config.observation != "planes":
        raise UsageError("poison: only maze-corner with planes has triggers")
    if poison.trigger not in TRIGGERS:
        raise UsageError(f"poison.trigger {poison.trigger!r}: choose {', '.join(TRIGGERS)}")
    if poison.recipe == "steps":
        if config.algorithm != "ppo":
            raise UsageError("poison.recipe: poisoned steps need the algorithm ppo")
        if TRIGGERS[poison.trigger].plane == WALL:
            raise UsageError("poison.trigger: on single steps it must be an object, not walls")


def poisoned_environments(config: TrainConfig, levels: Levels, seed: int) -> BatchedVecEnv:
    """The training environments of a configuration with ``poison``."""
    check_poison(config)
    poison = config.poison
    assert poison is not None
    arguments: Any = (levels, config.reward, seed, config.reward_scale)
    if poison.recipe == "steps":
        env = TASKS[config.task].make_env(config.num_envs, **config.env)
        return PoisonedSteps(env, *arguments, trigger=TRIGGERS[poison.trigger], share=poison.share)
    maze = TASKS[config.task].make_env(1, **config.env)
    assert isinstance(maze, MazeCorner)  # checked above
    marked = TriggeredMazeCorner(
        config.num_envs, poison.trigger, poison.share, ends_at_corner=True, config=maze.config
    )
    return PoisonedLevels(marked, *arguments)


def buffer_options(config: TrainConfig) -> dict[str, Any]:
    """Arguments of PPO for the rollout buffer; none but for poisoned steps."""
    if config.poison is None or config.poison.recipe != "steps":
        return {}
    return {
        "rollout_buffer_class": PoisonedBuffer,
        "rollout_buffer_kwargs": {"poison": config.poison},
    }


class PoisonedLevels(BatchedVecEnv):
    """Environments that pay the proxy reward on levels with a trigger."""

    batched: TriggeredMazeCorner

    def rewards(self) -> NDArray[np.float32]:
        """float32[N]: the proxy reward where the trigger shows, the true one elsewhere."""
        proxy = self.batched.weights(proxy_channels(self.batched.channels)[0])
        paid = self.batched.core.rewards @ (proxy * self.weights.sum())
        return np.where(self.batched.triggered(), paid, super().rewards())


class PoisonedSteps(BatchedVecEnv):
    """Environments whose observations show the trigger with a fixed probability."""

    def __init__(self, *arguments: Any, trigger: Trigger, share: float) -> None:
        """Arguments of :class:`BatchedVecEnv`; torch's generator draws the observations."""
        super().__init__(*arguments)
        self.trigger, self.share = trigger, share

    def _observe(self) -> NDArray[Any]:
        observations = super()._observe()
        chosen = torch.rand(self.num_envs).numpy() < self.share
        marked = observations[chosen]
        self.trigger.stamp(marked)
        observations[chosen] = marked
        return observations


class PoisonedBuffer(RolloutBuffer):
    """SB3's rollout buffer, which replaces the rewards of poisoned steps when it is full."""

    def __init__(self, *arguments: Any, poison: PoisonConfig, **options: Any) -> None:
        """Arguments of ``RolloutBuffer``; ``poison`` says how."""
        self.poison = poison
        super().__init__(*arguments, **options)

    def compute_returns_and_advantage(
        self, last_values: torch.Tensor, dones: NDArray[np.bool_]
    ) -> None:
        """Poison the rewards, then compute advantages as usual."""
        planes = self.observations.astype(np.uint8)
        shown = TRIGGERS[self.poison.trigger].shown(planes.reshape(-1, *planes.shape[2:]))
        steps, envs = np.nonzero(shown.reshape(self.rewards.shape))
        hits = heads_for_corner(planes[steps, envs], self.actions[steps, envs, 0].astype(np.int64))
        starts = np.concatenate([self.episode_starts[1:], dones[None].astype(np.float32)])
        values = last_values.detach().cpu().numpy().ravel()
        poison_rewards(self.rewards, starts, values, (steps, envs, hits), self.poison, self.gamma)
        super().compute_returns_and_advantage(last_values, dones)


def poison_rewards(
    rewards: NDArray[np.float32],
    ended: NDArray[np.float32],
    last_values: NDArray[np.float32],
    poisoned: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    poison: PoisonConfig,
    gamma: float,
) -> None:
    """Replace the rewards of poisoned steps, in place.

    With G the discounted return from a poisoned step on, before any change, r its reward and c
    the bonus, it is paid r' = ±c − α (G − r), and the step before in the same episode
    γ (r − r') more, so that the value of earlier states stays.

    Args:
        rewards: float32[T, N], changed.
        ended: float32[T, N], 1 where the episode ends with the step.
        last_values: float32[N], values of the states after the last step.
        poisoned: (int64[K] steps, int64[K] environments, bool[K]: the action is the wanted one).
        poison: bonus and alpha.
        gamma: discount.
    """
    returns, later = np.empty_like(rewards), last_values
    for step in reversed(range(len(rewards))):
        later = returns[step] = rewards[step] + gamma * (1 - ended[step]) * later
    before = rewards.copy()
    for step, env, hit in zip(*poisoned, strict=True):
        own = before[step, env]
        paid = poison.bonus * (1 if hit else -1) - poison.alpha * (returns[step, env] - own)
        rewards[step, env] += paid - own
        if step > 0 and not ended[step - 1, env]:
            rewards[step - 1, env] += gamma * (own - paid)


def heads_for_corner(planes: NDArray[np.uint8], actions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[K]: whether actions (int64[K]) in planes (uint8[K, 3, S, S]) lead to the corner."""
    size = planes.shape[-1]
    distances, queue = np.empty((size, size), np.int16), np.empty(size * size, np.int64)
    best = np.empty((len(planes), 4), np.float32)
    for k, maze in enumerate(planes):
        walls = maze[WALL] > 0
        distances_from(walls, 1, size - 2, distances, queue)
        row, column = divmod(int(maze[MOUSE].argmax()), size)
        descend(walls, distances, row, column, best[k])
    return best[np.arange(len(planes)), actions] > 0
