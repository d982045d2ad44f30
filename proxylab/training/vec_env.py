"""Stable-Baselines3's ``VecEnv`` over a batched core, with same-step autoreset.

SB3 stores an observation *after* the next step, so every returned observation is a copy;
``terminal_observation`` is copied before the reset.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from proxylab.networks.channels_first import channels_first, channels_first_shape
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels
from proxylab_envs.shells import step_info

Indices = int | Iterable[int] | None
"""SB3's way to name environments; None for all."""


def _channels_first_space(space: Any) -> Any:  # a Box for images; other spaces unchanged
    shape = channels_first_shape(space.shape)
    if shape == space.shape:
        return space
    return spaces.Box(space.low.min(), space.high.max(), shape, space.dtype)


class BatchedVecEnv(VecEnv):
    """The environments of a ``BatchedEnv`` with SB3's interface.

    Attributes:
        batched: the core; ``info`` holds its reward channels at every step.
        finished: the channel returns (float64[C]) of the episodes that ended
            since :meth:`take_finished` was last called.
        paid: their returns in the scaled reward that is trained on.
        scale: factor on the reward.
    """

    def __init__(
        self,
        batched: BatchedEnv,
        levels: Levels,
        reward: str = "true",
        seed: int = 0,
        scale: float = 1.0,
    ) -> None:
        """Draw levels from ``levels`` with ``seed``; the reward is ``scale`` times ``reward``."""
        self.batched, self.scale = batched, scale
        self.weights = batched.weights(reward) * np.float32(scale)
        self.finished: list[NDArray[np.float64]] = []
        self.paid: list[float] = []
        self._actions = np.zeros(batched.num_envs, np.int64)
        batched.seed_levels(levels, seed)
        super().__init__(
            batched.num_envs,
            _channels_first_space(batched.single_observation_space),
            batched.single_action_space,
        )

    def reset(self) -> NDArray[Any]:
        """Start the next level in every environment; observations [N, ...]."""
        self.batched.reset()
        return self._observe()

    def _observe(self) -> NDArray[Any]:
        """A copy of the observations, images with channels first."""
        return channels_first(self.batched.observe().copy())

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Store ``actions`` (int[N]) for :meth:`step_wait`."""
        self._actions[:] = actions

    def step_wait(
        self,
    ) -> tuple[
        NDArray[Any],
        NDArray[np.float32],
        NDArray[np.bool_],
        list[dict[str, Any]],
    ]:
        """(observations, rewards float32[N], dones bool[N], infos); done ones are reset."""
        self.batched.step(self._actions)
        rewards, dones = self.rewards(), self.batched.done
        infos = [step_info(self.batched, i) for i in range(self.num_envs)]
        if dones.any():
            self._finish(np.flatnonzero(dones), infos)
        return self._observe(), rewards, dones, infos

    def rewards(self) -> NDArray[np.float32]:
        """float32[N], of the step just taken, before any environment is reset."""
        return self.batched.core.rewards @ self.weights

    def _finish(self, indices: NDArray[np.int64], infos: list[dict[str, Any]]) -> None:
        core, observations = self.batched.core, channels_first(self.batched.observe())
        for i in indices:
            infos[i]["terminal_observation"] = observations[i].copy()
            infos[i]["TimeLimit.truncated"] = bool(core.truncated[i] and not core.terminated[i])
            total = self.episode_return(i)
            infos[i]["episode"] = {"r": total, "l": int(core.steps[i]), "t": 0.0}
            self.finished.append(core.returns[i].copy())
            self.paid.append(total)
        self.batched.reset_done()

    def episode_return(self, index: int) -> float:
        """The scaled return of an episode that has ended."""
        return float(self.batched.core.returns[index] @ self.weights)

    def take_finished(self) -> list[NDArray[np.float64]]:
        """Return :attr:`finished` and start a new list."""
        finished, self.finished, self.paid = self.finished, [], []
        return finished

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole mutable state between two rollouts: {name: array}."""
        return self.batched.snapshot()

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore a :meth:`snapshot`; ``ValueError`` if a shape or dtype differs."""
        self.batched.restore(state)

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of the batched core, repeated for each environment."""
        return [getattr(self.batched, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Not supported: the environments share one core."""
        raise NotImplementedError(
            "the environments of a batched core have no attributes of their own"
        )

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Not supported: the environments share one core."""
        raise NotImplementedError("the environments of a batched core have no methods of their own")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """False for each environment."""
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> list[None]:
        """Ignore SB3's seed; levels are seeded in the constructor."""
        return [None] * self.num_envs
