"""Stable-Baselines3's ``VecEnv`` over a batched core, with same-step autoreset.

SB3 stores an observation *after* it has stepped on, so every observation handed
out is a copy; ``terminal_observation`` is copied before the reset.
"""

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from proxylab.networks.channels_first import channels_first, channels_first_shape
from proxylab_envs.shells import step_info


def _as_networks_see(space):
    shape = channels_first_shape(space.shape)
    if shape == space.shape:
        return space
    return spaces.Box(space.low.min(), space.high.max(), shape, space.dtype)


class BatchedVecEnv(VecEnv):
    """All environments of a ``BatchedEnv`` under SB3's interface.

    Attributes:
        batched: the core; its reward channels stand in ``info`` at every step.
        finished: list of the channel returns (float64[C]) of the episodes that ended
            since :meth:`take_finished` was last called.
    """

    def __init__(self, batched, levels, reward="true", seed=0, scale=1.0):
        """Draw levels from ``levels`` by ``seed``; train on ``scale`` times ``reward``."""
        self.batched = batched
        self.weights = batched.weights(reward) * np.float32(scale)
        self.finished = []
        self._actions = np.zeros(batched.num_envs, np.int64)
        batched.seed_levels(levels, seed)
        super().__init__(
            batched.num_envs,
            _as_networks_see(batched.single_observation_space),
            batched.single_action_space,
        )

    def reset(self):
        """Start the next level everywhere; observations [N, ...]."""
        self.batched.reset()
        return self._observe()

    def _observe(self):
        """A copy of the observations, pictures with their channels first."""
        return channels_first(self.batched.observe().copy())

    def step_async(self, actions):
        """Keep ``actions`` (int[N]) for :meth:`step_wait`."""
        self._actions[:] = actions

    def step_wait(self):
        """(observations, rewards float32[N], dones bool[N], infos), reset where done."""
        self.batched.step(self._actions)
        core = self.batched.core
        rewards, dones = core.rewards @ self.weights, self.batched.done
        infos = [step_info(self.batched, i) for i in range(self.num_envs)]
        if dones.any():
            self._finish(np.flatnonzero(dones), infos)
        return self._observe(), rewards, dones, infos

    def _finish(self, indices, infos):
        core, observations = self.batched.core, channels_first(self.batched.observe())
        for i in indices:
            infos[i]["terminal_observation"] = observations[i].copy()
            infos[i]["TimeLimit.truncated"] = bool(core.truncated[i] and not core.terminated[i])
            total = float(core.returns[i] @ self.weights)
            infos[i]["episode"] = {"r": total, "l": int(core.steps[i]), "t": 0.0}
            self.finished.append(core.returns[i].copy())
        self.batched.reset_done()

    def take_finished(self):
        """Hand over :attr:`finished` and start a new list."""
        finished, self.finished = self.finished, []
        return finished

    def close(self):
        """Nothing to close."""

    def get_attr(self, attr_name, indices=None):
        """The batched core's attribute, once per environment."""
        return [getattr(self.batched, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name, value, indices=None):
        """Not supported: the environments share one core."""
        raise NotImplementedError(
            "the environments of a batched core have no attributes of their own"
        )

    def env_method(self, method_name, *method_args, indices=None, **method_kwargs):
        """Not supported: the environments share one core."""
        raise NotImplementedError("the environments of a batched core have no methods of their own")

    def env_is_wrapped(self, wrapper_class, indices=None):
        """Never wrapped."""
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed=None):
        """SB3 calls this with its own seed; levels are seeded in the constructor."""
        return [None] * self.num_envs
