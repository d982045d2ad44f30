"""The batched core's interface: N environments in arrays, stepped at once.

A concrete environment is a NamedTuple of arrays (the *core*), ``@njit`` functions
over it, and one subclass of :class:`BatchedEnv` that ties them together. Shells
over this class give ``gymnasium.make`` and ``gymnasium.make_vec`` (shells.py)
and Stable-Baselines3 (``proxylab.training.vec_env``).
"""

from abc import ABC, abstractmethod

import numpy as np

from proxylab_envs.channels import RUNNING, reward_weights
from proxylab_envs.levels import Levels, LevelStream, level_seeds_at
from proxylab_envs.scenes import grid_map, grid_scene

CORE_FIELDS = (
    "observations",  # the live buffer, [N, ...]: copy before you keep it
    "rewards",  # float32[N, C], of the last step, one column a channel
    "terminated",  # bool[N]
    "truncated",  # bool[N]
    "steps",  # int32[N], steps taken in the running episode
    "returns",  # float64[N, C], undiscounted, of the running episode
    "outcomes",  # int8[N], index into channels.OUTCOMES, RUNNING before the end
    "proxy_first",  # bool[N], the proxy goal came before the intended one
    "level_seeds",  # int64[N]
    "state_ids",  # int64[N], in [0, num_states)
)


def shared_arrays(observations, num_channels):
    """The arrays that every core has: {name: array} by ``CORE_FIELDS``, for a core's constructor.

    Args:
        observations: [N, ...], the live buffer.
        num_channels: how many reward channels there are.
    """
    num_envs = len(observations)
    return {
        "observations": observations,
        "rewards": np.zeros((num_envs, num_channels), np.float32),
        "terminated": np.zeros(num_envs, bool),
        "truncated": np.zeros(num_envs, bool),
        "steps": np.zeros(num_envs, np.int32),
        "returns": np.zeros((num_envs, num_channels)),
        "outcomes": np.full(num_envs, RUNNING, np.int8),
        "proxy_first": np.zeros(num_envs, bool),
        "level_seeds": np.zeros(num_envs, np.int64),
        "state_ids": np.zeros(num_envs, np.int64),
    }


class BatchedEnv(ABC):
    """N environments that step at once; every array is updated in place.

    ``step`` never resets: an environment whose ``done`` is set stays as it ended
    until ``reset_levels`` or ``reset_done`` starts its next level, so the last
    observation can be read. Inactive environments are not touched.

    Class attributes of a subclass:
        env_id: Gymnasium id.
        channels: reward channels, ``"true"`` first.
        splits: the splits that exist.
        scripts: names of the scripted policies that ``script_actions`` knows.
        landmarks: names of the goals that ``landmark_distances`` measures.
    """

    env_id: str
    channels: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "iid", "shifted")
    scripts: tuple[str, ...] = ()
    landmarks: tuple[str, ...] = ()

    def __init__(self, core, num_envs, max_episode_steps, num_states, spaces):
        """Adopt a core; ``spaces`` are (single_observation_space, single_action_space)."""
        missing = [name for name in CORE_FIELDS if not hasattr(core, name)]
        if missing:
            raise TypeError(f"the core lacks {', '.join(missing)}")
        self.core = core
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.num_states = num_states
        self.single_observation_space, self.single_action_space = spaces
        self.stream = LevelStream(Levels(), 0, num_envs, self.seeds_of_split)
        self._all = np.arange(num_envs)
        self._active = np.ones(num_envs, bool)

    @property
    def done(self):
        """bool[N]: the episode has ended (terminated or truncated)."""
        return self.core.terminated | self.core.truncated

    def seed_levels(self, levels, seed):
        """Draw levels from ``levels`` (a :class:`Levels`) by ``seed``, from its first episode."""
        if levels.split not in self.splits:
            raise ValueError(
                f"{self.env_id} has no split {levels.split!r}: choose {', '.join(self.splits)}"
            )
        if levels.share > 0 and "shifted" not in self.splits:
            raise ValueError(f"{self.env_id} has no shifted levels: shifted_share must be 0")
        self.stream = LevelStream(levels, seed, self.num_envs, self.seeds_of_split)

    def reset(self):
        """Start the next level of the stream in every environment."""
        self.reset_levels(self.stream.draw(self._all), self._all)

    def reset_done(self):
        """Start the next level in the environments whose episode has ended; int64[K] of them."""
        indices = np.flatnonzero(self.done)
        if indices.size:
            self.reset_levels(self.stream.draw(indices), indices)
        return indices

    def sample_level_seeds(self, levels, count, seed):
        """``count`` level seeds of a distribution: int64[count], the same for the same seed."""
        words = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
        return level_seeds_at(levels, words, self.seeds_of_split)

    def weights(self, reward):
        """float32[C] that turns the channels into the reward named (see channels.py)."""
        return reward_weights(reward, self.channels)

    def snapshot(self):
        """Copies of all that changes while running: {name: array}."""
        state = {name: np.array(getattr(self.core, name)) for name in self.core._fields}
        return {**state, "stream.episodes": self.stream.episodes.copy()}

    def restore(self, state):
        """Put a :meth:`snapshot` back; ``ValueError`` where a shape does not fit."""
        for name in self.core._fields:
            array = getattr(self.core, name)
            if np.ndim(array):
                array[...] = _fitting(name, state[name], array)
        self.stream.episodes[...] = state["stream.episodes"]

    def step(self, actions, active=None):
        """Take ``actions`` (int64[N]) in the environments of ``active`` (bool[N], all by default).

        An environment that is done takes no further step. Actions are not checked:
        each must lie in [0, num_actions).
        """
        self._step(actions, self._active if active is None else active)

    def observe(self):
        """[N, ...] observations of all environments: may be the live buffer, so copy to keep."""
        return self.core.observations

    @abstractmethod
    def _step(self, actions, active):
        """Call the kernel."""

    @abstractmethod
    def reset_levels(self, level_seeds, indices):
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""

    @abstractmethod
    def seeds_of_split(self, split, ranks):
        """Level seeds (int64[K], none shifted) at ``ranks`` (uint64[K]) of a split's layouts."""

    @abstractmethod
    def layout_hashes(self, level_seeds):
        """uint64[K]: equal for levels with equal layouts (walls, course), whatever lies in them."""

    def num_layouts(self):
        """How many layouts the generator can make, all splits together; None if not known."""
        return None

    @abstractmethod
    def optimal_returns(self, level_seeds, gamma=1.0):
        """Best return of each channel, when only that channel counts: {channel: float64[K]}."""

    @abstractmethod
    def script_actions(self, script, indices):
        """What a scripted policy would do now: float32[K, num_actions] probabilities.

        Args:
            script: one of ``scripts``.
            indices: int64[K], which environments.
        """

    def features(self, indices):
        """float32[K, F]: a description of the state for detectors; F may be 0."""
        return np.zeros((len(indices), 0), np.float32)

    def landmark_distances(self, level_seeds):
        """int16[K, landmarks, num_states]: steps to each landmark, -1 where out of reach."""
        return np.zeros((len(level_seeds), 0, self.num_states), np.int16)

    def successors(self, level_seeds):
        """int32[K, num_states, A]: the state that an action leads to, -1 where there is none.

        None where the state index and the action do not determine the next one. What
        happens at the end of an episode is left out: this is the map, not the rules.
        """
        return None

    def place_map(self, level_seed):
        """How state indices lie beside each other (:class:`~proxylab_envs.scenes.PlaceMap`).

        None where they are no cells of a map. The level is started in the first environment.
        """
        return grid_map(self._text(level_seed), self.num_states)

    def level_scene(self, level_seed, places):
        """How a level looks at its start (:class:`~proxylab_envs.scenes.GridScene`, for drawings).

        Args:
            level_seed: of the level, which is started in the first environment.
            places: {landmark: int64[n] states where it is}.
        """
        return grid_scene(self._text(level_seed), places)

    def _text(self, level_seed):
        self.reset_levels(np.array([level_seed], np.int64), np.array([0]))
        return self.render_ansi(0).splitlines()

    @abstractmethod
    def render_rgb(self, index):
        """uint8[H, W, 3]: environment ``index`` as a picture."""

    @abstractmethod
    def render_ansi(self, index):
        """str: environment ``index`` as text."""


def _fitting(name, value, array):
    value = np.asarray(value)
    if value.shape != array.shape or value.dtype != array.dtype:
        raise ValueError(
            f"{name}: {value.dtype}{value.shape} does not fit {array.dtype}{array.shape}"
        )
    return value
