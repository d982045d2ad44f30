"""Gymnasium's ``Env`` and ``VectorEnv`` over a batched core.

The core writes its observations in place, so both wrappers return copies.
``VectorShell`` declares next-step autoreset, Gymnasium's default. The
Stable-Baselines3 wrapper, which resets in the same step, is
``proxylab.training.vec_env``.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import (
    LEVEL_SEED,
    OUTCOME,
    OUTCOMES,
    PROXY_FIRST,
    return_key,
    reward_key,
)
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.streams import Integer


def step_info(env: BatchedEnv[Any], index: int) -> dict[str, Any]:
    """Info of one environment after a step: rewards per channel, and the outcome at the end."""
    core = env.core
    info = {reward_key(c): float(core.rewards[index, k]) for k, c in enumerate(env.channels)}
    if core.terminated[index] or core.truncated[index]:
        info |= {return_key(c): float(core.returns[index, k]) for k, c in enumerate(env.channels)}
        info[OUTCOME] = OUTCOMES[core.outcomes[index]]
        info[PROXY_FIRST] = bool(core.proxy_first[index])
        info[LEVEL_SEED] = int(core.level_seeds[index])
    return info


def batch_info(env: BatchedEnv[Any], active: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Info of all environments in Gymnasium's vector format: arrays with ``_key`` masks.

    Environments that are not ``active`` (bool[N]) have just been reset: their info contains
    the level seed only.
    """
    core, done = env.core, env.done & active
    columns = {reward_key(c): (core.rewards[:, k], active) for k, c in enumerate(env.channels)}
    if done.any():
        for k, channel in enumerate(env.channels):
            columns[return_key(channel)] = (core.returns[:, k], done)
        names = np.array([*OUTCOMES, None], object)
        columns[OUTCOME] = (names[core.outcomes], done)
        columns[PROXY_FIRST] = (core.proxy_first, done)
    if done.any() or not active.all():
        columns[LEVEL_SEED] = (core.level_seeds, done | ~active)
    info = {}
    for key, (values, mask) in columns.items():
        info[key] = np.array(values)
        info[f"_{key}"] = np.array(mask)
    return info


def make_levels(split: str, shifted_share: float | None, num_levels: int | None) -> Levels:
    """Keyword arguments of an environment id -> :class:`Levels`."""
    return Levels(split=split, shifted_share=shifted_share, num_levels=num_levels)


def checked_actions(actions: ArrayLike, num_envs: int, num_actions: Integer) -> NDArray[np.int64]:
    """Validate actions for a core, which does not check them itself: int64[N].

    Raises:
        ValueError: not N actions, or one is out of range.
    """
    actions = np.asarray(actions, np.int64)
    if actions.shape != (num_envs,):
        raise ValueError(f"actions must be int[{num_envs}], not of shape {list(actions.shape)}")
    if actions.min() < 0 or actions.max() >= num_actions:
        raise ValueError(f"actions must lie between 0 and {num_actions - 1}: {actions}")
    return actions


def checked_level_seeds(level_seeds: ArrayLike, num_envs: int) -> NDArray[np.int64]:
    """int64[N] level seeds for a core; ``ValueError`` if not N, or out of range."""
    level_seeds = np.asarray(level_seeds, np.int64)
    if level_seeds.shape != (num_envs,):
        raise ValueError(f"level_seed must be {num_envs} integers, one per environment")
    if level_seeds.min() < 0 or level_seeds.max() >= 2 * SHIFTED:
        raise ValueError("a level_seed lies between 0 and 2**33 - 1")
    return level_seeds


def start_levels(
    shell: "EnvShell | VectorShell", seed: int | None, options: dict[str, Any] | None
) -> None:
    """Start the next levels of a shell, or those of ``options["level_seed"]``.

    The level stream restarts at the first reset and whenever ``seed`` is given.
    """
    if seed is not None or not shell.seeded:
        shell.batched.seed_levels(shell.levels, int(shell.np_random.integers(2**63)))
        shell.seeded = True
    if options and LEVEL_SEED in options:
        num_envs = shell.batched.num_envs
        chosen = checked_level_seeds(np.atleast_1d(options[LEVEL_SEED]), num_envs)
        shell.batched.reset_levels(chosen, np.arange(num_envs))
    else:
        shell.batched.reset()


class EnvShell(gym.Env[Any, Any]):
    """One environment of a batched core, as ``gymnasium.Env``.

    ``reset(options={"level_seed": s})`` starts that level; otherwise levels come
    from the split's stream.
    """

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        reward: str = "true",
        render_mode: str | None = None,
    ) -> None:
        """Wrap ``batched`` (a :class:`BatchedEnv` with one environment)."""
        self.batched = batched
        self.levels = levels
        self.metadata: dict[str, Any] = {
            "render_modes": ["rgb_array", "ansi", "human"],
            "render_fps": 10,
        }
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"unknown render_mode {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = batched.single_observation_space
        self.action_space = batched.single_action_space
        self._weights = batched.weights(reward)
        batched.seed_levels(levels, 0)
        self._window = None
        self.seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start the next level, or ``options["level_seed"]``."""
        super().reset(seed=seed)
        start_levels(self, seed, options)
        self._show()
        return self._observation(), {LEVEL_SEED: int(self.batched.core.level_seeds[0])}

    def step(
        self, action: int | np.integer[Any] | NDArray[Any]
    ) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """One step; ``info`` contains every reward channel.

        Raises:
            gymnasium.error.ResetNeeded: no episode is running.
        """
        if not self.seeded or self.batched.done[0]:
            raise gym.error.ResetNeeded("no episode is running: call reset() before step()")
        num_actions = self.batched.single_action_space.n
        self.batched.step(checked_actions([action], 1, num_actions))
        core = self.batched.core
        reward = float(core.rewards[0] @ self._weights)
        self._show()
        return (
            self._observation(),
            reward,
            bool(core.terminated[0]),
            bool(core.truncated[0]),
            step_info(self.batched, 0),
        )

    def render(self) -> NDArray[np.uint8] | str | None:
        """``rgb_array``: uint8[H, W, 3]; ``ansi``: str; ``human``: drawn at every step."""
        if self.render_mode == "rgb_array":
            return self.batched.render_rgb(0)
        if self.render_mode == "ansi":
            return self.batched.render_ansi(0)
        return None

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _observation(self) -> NDArray[Any]:
        return self.batched.observe()[0].copy()

    def _show(self) -> None:
        if self.render_mode != "human":
            return
        if self._window is None:
            from proxylab_envs.window import Window

            self._window = Window(self.metadata["render_fps"])
        self._window.show(self.batched.render_rgb(0))


class VectorShell(VectorEnv):
    """All environments of a batched core, as ``gymnasium.vector.VectorEnv``."""

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        reward: str = "true",
        render_mode: str | None = None,
    ) -> None:
        """Wrap ``batched``; levels come from ``levels``."""
        self.metadata = {
            "render_modes": ["rgb_array", "ansi"],
            "render_fps": 10,
            "autoreset_mode": AutoresetMode.NEXT_STEP,
        }
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"unknown render_mode {render_mode!r} for a vector of environments")
        self.batched = batched
        self.levels = levels
        self.num_envs = batched.num_envs
        self.render_mode = render_mode
        self.single_observation_space = batched.single_observation_space
        self.single_action_space = batched.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._weights = batched.weights(reward)
        batched.seed_levels(levels, 0)
        self.seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start the next level everywhere, or the levels ``options["level_seed"]`` (int64[N])."""
        super().reset(seed=seed)
        start_levels(self, seed, options)
        every = np.ones(self.num_envs, bool)
        info = {LEVEL_SEED: self.batched.core.level_seeds.copy(), f"_{LEVEL_SEED}": every}
        return self.batched.observe().copy(), info

    def step(
        self, actions: ArrayLike
    ) -> tuple[
        NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """One step; where an episode has ended, the next level starts and the action is ignored.

        Raises:
            gymnasium.error.ResetNeeded: ``reset`` was never called.
        """
        if not self.seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        core = self.batched.core
        num_actions = self.batched.single_action_space.n
        actions = checked_actions(actions, self.num_envs, num_actions)
        restarted = self.batched.reset_done()
        active = np.ones(self.num_envs, bool)
        active[restarted] = False
        core.rewards[restarted] = 0
        self.batched.step(actions, active)
        return (
            self.batched.observe().copy(),
            (core.rewards @ self._weights).astype(np.float64),
            core.terminated.copy(),
            core.truncated.copy(),
            batch_info(self.batched, active),
        )

    def render(self) -> tuple[NDArray[np.uint8] | str, ...] | None:
        """A tuple with one image or text per environment."""
        draw = {"rgb_array": self.batched.render_rgb, "ansi": self.batched.render_ansi}
        if self.render_mode not in draw:
            return None
        return tuple(draw[self.render_mode](i) for i in range(self.num_envs))
