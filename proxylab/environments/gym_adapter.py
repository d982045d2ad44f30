"""Third-party Gymnasium environments behind the batched interface.

``docs/own-environment.md`` lists what an environment must and may provide. Required is
Gymnasium's API with a ``Discrete`` action space; the rest is optional.
"""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from proxylab.environments.gymnasium_ids import env_factory
from proxylab.environments.plugins import is_reference, short_name
from proxylab.environments.state_hash import HASHED_STATES, hash_of
from proxylab.errors import UsageError
from proxylab_envs.batch import BatchedEnv, shared_arrays
from proxylab_envs.channels import (
    LEVEL_SEED,
    NEITHER,
    OUTCOME,
    OUTCOMES,
    PROXY_FIRST,
    PROXY_PREFIX,
    RUNNING,
    TRUE,
    reward_key,
)
from proxylab_envs.levels import BUCKETS

MAX_NUM_ENVS = 32
"""Most environments in a batch; they are stepped one after another in Python."""

MAX_STEPS = 10_000
"""Steps after which an episode is truncated if the environment has no limit of its own."""

MOST_FEATURES = 64
"""Size of the largest float observation that is used as features."""

PLAIN_PROXY = PROXY_PREFIX + "reward"
"""Channel of the reward of an environment without channels: the trained reward, intent unknown."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""Escape sequences in a text that an environment draws."""

RANKS = 1 << 27
"""Level seeds per bucket if the environment does not choose its own."""


def make_own(reference: str, num_envs: int) -> BatchedEnv:
    """A batched environment over what ``module:factory`` or a Gymnasium id makes.

    Args:
        reference: a Gymnasium id, or ``module:factory``: a function without arguments that
            returns a ``gymnasium.Env``, or a ``BatchedEnv`` class.
        num_envs: upper bound on the number of environments in the batch.

    Raises:
        UsageError: it cannot be made, or lacks a required part; the message names it.
    """
    factory: Any = env_factory(reference)
    name = short_env_name(reference)
    if isinstance(factory, type) and issubclass(factory, BatchedEnv):
        return factory(num_envs)
    is_id = not is_reference(reference)
    return OwnEnv(name, factory, min(num_envs, MAX_NUM_ENVS), reward_is_true=is_id)


def short_env_name(env: str) -> str:
    """``module:factory`` without folders, or the Gymnasium id."""
    return short_name(env) if is_reference(env) else env


class OwnEnv(BatchedEnv):
    """N third-party environments, stepped one after another.

    Attributes:
        has_truth: whether the intended reward is known; its rewards are NaN otherwise.
    """

    def __init__(
        self, name: str, factory: Callable[[], Any], num_envs: int, reward_is_true: bool = False
    ) -> None:
        """Make the environments and inspect the first step of one.

        Args:
            name: of the environment.
            factory: function without arguments that returns a ``gymnasium.Env``.
            num_envs: number of environments.
            reward_is_true: whether the step's reward is the intended one where ``info`` holds
                no ``reward/true``, as in an environment that Gymnasium knows by its id.

        Raises:
            UsageError: an environment cannot be made, or its spaces do not fit.
        """
        self.env_id, self._reward_is_true = name, reward_is_true
        self.envs = [made(name, factory) for _ in range(max(num_envs, 1))]
        first = self.envs[0]
        observations, actions = _spaces(name, first)
        self._start = int(actions.start)
        self._inspect(first)
        self.splits = tuple(getattr(first.unwrapped, "splits", ("train",)))
        unknown = [split for split in self.splits if split not in BUCKETS]
        if unknown or not self.splits:
            raise UsageError(f"{name}: splits {self.splits} are not among {', '.join(BUCKETS)}")
        self._scripts = dict(getattr(first.unwrapped, "scripts", {}))
        self.scripts = tuple(self._scripts)
        limit = getattr(first.spec, "max_episode_steps", None) or MAX_STEPS
        core = self._core(len(self.envs), observations)
        spaces = observations, gym.spaces.Discrete(int(actions.n))
        super().__init__(core, len(self.envs), limit, self._num_states(first, observations), spaces)

    def _inspect(self, env: gym.Env) -> None:
        """Determine channels, levels, states and features from a first step."""
        try:
            _, info = env.reset(seed=0)
            self.leveled = LEVEL_SEED in info
            self._told_states = "state_id" in info
            self._features: int | None = None
            if "features" in info:
                self._features = np.size(info["features"])
            info = env.step(self._start)[-1]
        except Exception as error:  # whatever the user's environment raises
            raise UsageError(f"{self.env_id}: {type(error).__name__}: {error}") from None
        prefix = reward_key(PROXY_PREFIX)
        proxies = [key.removeprefix(reward_key("")) for key in info if key.startswith(prefix)]
        self._reward_is_true &= reward_key(TRUE) not in info
        self.has_truth = reward_key(TRUE) in info or self._reward_is_true
        self._plain = not proxies
        self.channels: tuple[str, ...] = (TRUE, *(sorted(proxies) or [PLAIN_PROXY]))

    def _num_states(self, env: gym.Env, observations: gym.Space) -> int:
        if isinstance(observations, gym.spaces.Discrete) and not self._told_states:
            return int(observations.n)
        return int(getattr(env.unwrapped, "num_states", HASHED_STATES))

    def _core(self, num: int, space: Any) -> SimpleNamespace:
        if self._features is None:
            size = int(np.prod(space.shape))
            small = space.dtype is not None and space.dtype.kind == "f" and size <= MOST_FEATURES
            self._features, self._told_features = size if small else 0, False
        else:
            self._told_features = True
        self._feature_rows = np.zeros((num, self._features), np.float32)
        observations = np.zeros((num, *space.shape), space.dtype)
        return SimpleNamespace(**shared_arrays(observations, len(self.channels)))

    def reset_levels(self, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        """Start ``level_seeds`` in the environments ``indices``; each is passed as ``seed``."""
        core = self.core
        for seed, i in zip(level_seeds.tolist(), indices.tolist(), strict=True):
            options = {LEVEL_SEED: seed} if self.leveled else None
            observation, info = self.envs[i].reset(seed=seed, options=options)
            if self.leveled and info.get(LEVEL_SEED) != seed:
                raise UsageError(
                    f"{self.env_id}: reset(options={{'level_seed': {seed}}}) starts level "
                    f"{info.get(LEVEL_SEED)} instead"
                )
            for array in (core.rewards, core.returns, core.steps, core.proxy_first):
                array[i] = 0
            core.terminated[i] = core.truncated[i] = False
            core.outcomes[i], core.level_seeds[i] = RUNNING, seed
            self._store(i, observation, info)

    def _store(self, i: int, observation: Any, info: dict[str, Any]) -> None:
        """Store observation, state id and features of environment ``i``."""
        self.core.observations[i] = observation
        self.core.state_ids[i] = self._state(observation, info)
        if self._features:
            features = info["features"] if self._told_features else observation
            self._feature_rows[i] = np.ravel(features)

    def _state(self, observation: Any, info: dict[str, Any]) -> int:
        if self._told_states:
            return int(info["state_id"])
        space = self.single_observation_space
        if isinstance(space, gym.spaces.Discrete):
            return int(observation) - int(space.start)
        return hash_of(np.ascontiguousarray(observation, space.dtype).tobytes())

    def _step(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        for i in np.flatnonzero(active & ~self.done).tolist():
            step = self.envs[i].step(int(actions[i]) + self._start)
            self._record(i, *step)

    def _record(
        self,
        i: int,
        observation: Any,
        reward: float,
        terminated: bool,
        truncated: bool,
        info: dict[str, Any],
    ) -> None:
        core = self.core
        for k, channel in enumerate(self.channels):
            plain = self._plain if k else self._reward_is_true
            core.rewards[i, k] = reward if plain else info.get(reward_key(channel), np.nan)
        core.returns[i] += core.rewards[i]
        core.steps[i] += 1
        core.terminated[i] = terminated
        core.truncated[i] = not terminated and (
            truncated or core.steps[i] >= self.max_episode_steps
        )
        if core.terminated[i] or core.truncated[i]:
            outcome = info.get(OUTCOME)
            core.outcomes[i] = OUTCOMES.index(outcome) if outcome in OUTCOMES else NEITHER
            core.proxy_first[i] = bool(info.get(PROXY_FIRST, False))
        self._store(i, observation, info)

    def seeds_of_split(self, split: str, ranks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The environment's own choice, else seeds whose last digit encodes the split."""
        own = getattr(self.envs[0].unwrapped, "seeds_of_split", None)
        if own is not None:
            return np.asarray(own(split, ranks), np.int64)
        buckets = BUCKETS[split]
        remainders = buckets.start + ranks // np.uint64(RANKS) % np.uint64(len(buckets))
        return (ranks % np.uint64(RANKS) * np.uint64(10) + remainders).astype(np.int64)

    def features(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """``info["features"]``, or a small observation of floats itself."""
        return self._feature_rows[indices]

    def layout_hashes(self, level_seeds: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Each level seed counts as a layout of its own."""
        return np.asarray(level_seeds).astype(np.uint64)

    def optimal_returns(
        self, level_seeds: NDArray[np.int64], gamma: float = 1.0
    ) -> dict[str, NDArray[np.float64]]:
        """Those of ``env.unwrapped.optimal_returns(level_seeds)``; NaN where unknown."""
        own = getattr(self.envs[0].unwrapped, "optimal_returns", None)
        known = own(np.asarray(level_seeds)) if own is not None and gamma == 1 else {}
        unknown = np.full(len(level_seeds), np.nan)
        return {name: np.asarray(known.get(name, unknown), np.float64) for name in self.channels}

    def script_actions(self, script: str, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """One-hot rows of ``env.unwrapped.scripts[script](env)``."""
        probabilities = np.zeros((len(indices), int(self.single_action_space.n)), np.float32)
        for row, i in enumerate(np.asarray(indices).tolist()):
            action = int(self._scripts[script](self.envs[i].unwrapped))
            probabilities[row, action - self._start] = 1
        return probabilities

    def render_rgb(self, index: int) -> NDArray[np.uint8]:
        """The environment's own rendering, if that is an image."""
        picture = self.envs[index].render()
        if not isinstance(picture, np.ndarray) or picture.ndim != 3:
            raise UsageError(f"{self.env_id} draws no picture: make it with render_mode rgb_array")
        return picture

    def render_ansi(self, index: int) -> str:
        """The environment's own rendering where that is text, else the observation."""
        env = self.envs[index]
        text = env.render() if env.render_mode == "ansi" else None
        if not isinstance(text, str):
            return str(self.core.observations[index])
        return COLOURS.sub("", text)


def made(name: str, factory: Callable[[], Any]) -> gym.Env:
    """A new environment; ``UsageError`` where the factory fails or gives something else."""
    try:
        env = factory()
    except UsageError:
        raise
    except Exception as error:  # whatever the user's factory raises
        raise UsageError(f"{name}: {type(error).__name__}: {error}") from None
    if not isinstance(env, gym.Env):
        raise UsageError(f"{name} gives a {type(env).__name__}, not a gymnasium.Env")
    return env


def _spaces(name: str, env: gym.Env) -> tuple[gym.Space, gym.spaces.Discrete]:
    """(observation space, action space); ``UsageError`` for unsupported ones."""
    actions, observations = env.action_space, env.observation_space
    if not isinstance(actions, gym.spaces.Discrete):
        raise UsageError(f"{name} has the action space {actions}: only Discrete actions are known")
    if observations.shape is None:
        raise UsageError(
            f"{name} has observations of {type(observations).__name__}: wrap it in "
            "gymnasium.wrappers.FlattenObservation"
        )
    return observations, actions
