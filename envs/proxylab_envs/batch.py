"""The batched core's interface: N environments in arrays, stepped at once.

A concrete environment is a NamedTuple of arrays (the *core*), ``@njit`` functions
over it, and one subclass of :class:`BatchedEnv`. Wrappers
of this class implement ``gymnasium.make`` and ``gymnasium.make_vec`` (shells.py)
and Stable-Baselines3 (``proxylab.training.vec_env``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from gymnasium.spaces import Discrete, Space
from numpy.typing import NDArray

from proxylab_envs.channels import RUNNING, reward_weights
from proxylab_envs.level_editor import LevelEditor
from proxylab_envs.levels import Levels, LevelStream, fitting, level_seeds_at
from proxylab_envs.scenes import (
    CourseScene,
    GridScene,
    PlaceMap,
    Thing,
    cell_centres,
    grid_map,
    grid_scene,
)
from proxylab_envs.search_space import SearchSpace

CORE_FIELDS = (
    "observations",  # the live buffer, [N, ...]: overwritten by the next step
    "rewards",  # float32[N, C], of the last step, one column per channel
    "terminated",  # bool[N]
    "truncated",  # bool[N]
    "steps",  # int32[N], steps taken in the running episode
    "returns",  # float64[N, C], undiscounted, of the running episode
    "outcomes",  # int8[N], index into channels.OUTCOMES, RUNNING before the end
    "proxy_first",  # bool[N], the proxy goal was reached before the intended one
    "level_seeds",  # int64[N]
    "state_ids",  # int64[N], in [0, num_states)
)


def shared_arrays(observations: NDArray[Any], num_channels: int) -> dict[str, NDArray[Any]]:
    """The arrays that every core has: {name: array} by ``CORE_FIELDS``, for a core's constructor.

    Args:
        observations: [N, ...], the live buffer.
        num_channels: number of reward channels.
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


class Core(Protocol):
    """The fields that every core has, by ``CORE_FIELDS``; a core is a NamedTuple."""

    @property
    def _fields(self) -> tuple[str, ...]:
        """Names of all fields, those of the environment itself among them."""

    @property
    def observations(self) -> NDArray[Any]:
        """[N, ...], the live buffer."""

    @property
    def rewards(self) -> NDArray[np.float32]:
        """float32[N, C], of the last step."""

    @property
    def terminated(self) -> NDArray[np.bool_]:
        """bool[N]."""

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """bool[N]."""

    @property
    def steps(self) -> NDArray[np.int32]:
        """int32[N], steps taken in the running episode."""

    @property
    def returns(self) -> NDArray[np.float64]:
        """float64[N, C], undiscounted."""

    @property
    def outcomes(self) -> NDArray[np.int8]:
        """int8[N], index into ``channels.OUTCOMES``, or ``RUNNING``."""

    @property
    def proxy_first(self) -> NDArray[np.bool_]:
        """bool[N], the proxy goal was reached before the intended one."""

    @property
    def level_seeds(self) -> NDArray[np.int64]:
        """int64[N]."""

    @property
    def state_ids(self) -> NDArray[np.int64]:
        """int64[N], in [0, num_states)."""


CoreT = TypeVar("CoreT", bound=Core)


class BatchedEnv(ABC, Generic[CoreT]):
    """N environments stepped together; every array is updated in place.

    ``step`` never resets: an environment whose ``done`` is set keeps its final state
    until ``reset_levels`` or ``reset_done`` starts the next level, so the final
    observation remains available. Inactive environments are unchanged.

    Class attributes of a subclass:

    - ``env_id``: Gymnasium id.
    - ``channels``: reward channels, ``"true"`` first.
    - ``splits``: names of the available splits.
    - ``scripts``: names of the scripted policies of ``script_actions``.
    - ``landmarks``: names of the goals that ``landmark_distances`` measures.
    - ``action_names``: a short name for each action, in their order; empty if there are none.
    - ``level_kind``: the kind of level that :meth:`level_text` describes: ``maze``,
      ``garden`` or ``race`` (grids of cells), ``course`` (open water); None where no
      interactive drawing exists.
    - ``reads_levels``: whether :meth:`place_text` can start a level that is given as text.
    - ``irrecoverable``: options with which pursuing the proxy costs what cannot be won back.
    - ``things``: {character of :meth:`render_ansi`: how a report draws it}, of objects that it
      does not know.
    - ``outcome_phrases``: a caption for each of ``channels.OUTCOMES``.
    """

    env_id: str
    channels: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "iid", "shifted")
    scripts: tuple[str, ...] = ()
    landmarks: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()
    level_kind: str | None = None
    reads_levels: bool = False
    irrecoverable: Mapping[str, Any] = MappingProxyType({})
    things: Mapping[str, Thing] = MappingProxyType({})
    outcome_phrases: Mapping[str, str] = MappingProxyType(
        {
            "intended": "reached the intended goal",
            "both": "reached both goals",
            "proxy": "reached the proxy goal only",
            "neither": "reached neither goal",
        }
    )

    def __init__(
        self,
        core: CoreT,
        num_envs: int,
        max_episode_steps: int,
        num_states: int,
        spaces: tuple[Space[Any], Discrete],
    ) -> None:
        """Wrap a core; ``spaces`` are (single_observation_space, single_action_space)."""
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
    def done(self) -> NDArray[np.bool_]:
        """bool[N]: the episode has ended (terminated or truncated)."""
        return self.core.terminated | self.core.truncated

    def seed_levels(self, levels: Levels, seed: int) -> None:
        """Restart the level stream: levels drawn from ``levels`` with ``seed``."""
        if levels.split not in self.splits:
            raise ValueError(
                f"{self.env_id} has no split {levels.split!r}: choose {', '.join(self.splits)}"
            )
        if levels.share > 0 and "shifted" not in self.splits:
            raise ValueError(f"{self.env_id} has no shifted levels: shifted_share must be 0")
        self.stream = LevelStream(levels, seed, self.num_envs, self.seeds_of_split)

    def reset(self) -> None:
        """Start the next level of the stream in every environment."""
        self.reset_levels(self.stream.draw(self._all), self._all)

    def reset_done(self) -> NDArray[np.int64]:
        """Start the next level where the episode has ended; int64[K] indices of these."""
        indices = np.flatnonzero(self.done)
        if indices.size:
            self.reset_levels(self.stream.draw(indices), indices)
        return indices

    def sample_level_seeds(self, levels: Levels, count: int, seed: int) -> NDArray[np.int64]:
        """int64[count] level seeds drawn from ``levels``; a function of ``seed``."""
        words = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
        return level_seeds_at(levels, words, self.seeds_of_split)

    def weights(self, reward: str) -> NDArray[np.float32]:
        """float32[C] weights of the channels in the named reward (see channels.py)."""
        return reward_weights(reward, self.channels)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole mutable state: {name: array}."""
        state = {name: np.array(getattr(self.core, name)) for name in self.core._fields}
        return {**state, "stream.episodes": self.stream.episodes.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore a :meth:`snapshot`; ``ValueError`` if a shape or dtype differs."""
        for name in self.core._fields:
            array = getattr(self.core, name)
            if np.ndim(array):
                array[...] = fitting(name, state[name], array)
        self.stream.episodes[...] = state["stream.episodes"]

    def step(self, actions: NDArray[np.int64], active: NDArray[np.bool_] | None = None) -> None:
        """Take ``actions`` (int64[N]) in the environments of ``active`` (bool[N], all by default).

        Environments that are done are not stepped. Actions are not validated: each must
        lie in [0, num_actions).
        """
        self._step(actions, self._active if active is None else active)

    def observe(self) -> NDArray[Any]:
        """[N, ...] observations of all environments; possibly the live buffer."""
        return self.core.observations

    @abstractmethod
    def _step(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        """Step the environments of ``active`` that are not done."""

    @abstractmethod
    def reset_levels(self, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""

    @abstractmethod
    def seeds_of_split(self, split: str, ranks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Unshifted level seeds (int64[K]) of the layouts of ``split`` at ``ranks`` (uint64[K])."""

    @abstractmethod
    def layout_hashes(self, level_seeds: NDArray[np.int64]) -> NDArray[np.uint64]:
        """uint64[K]: hashes of the layouts (walls, course) without the objects in them."""

    def num_layouts(self) -> int | None:
        """Number of layouts that the generator can make, over all splits; None if unknown."""
        return None

    @abstractmethod
    def optimal_returns(
        self, level_seeds: NDArray[np.int64], gamma: float = 1.0
    ) -> dict[str, NDArray[np.float64]]:
        """Optimal return of each channel on its own: {channel: float64[K]}."""

    @abstractmethod
    def script_actions(self, script: str, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Action probabilities of one of ``scripts`` in ``indices`` int64[K]: float32[K, A]."""

    def features(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, F]: state features for detectors; F may be 0."""
        return np.zeros((len(indices), 0), np.float32)

    def landmark_distances(self, level_seeds: NDArray[np.int64]) -> NDArray[np.int16]:
        """int16[K, landmarks, num_states]: steps to each landmark, -1 if unreachable."""
        return np.zeros((len(level_seeds), 0, self.num_states), np.int16)

    def successors(self, level_seeds: NDArray[np.int64]) -> NDArray[np.int32] | None:
        """int32[K, num_states, A]: the state that each action leads to, -1 if there is none.

        None if the state index and the action do not determine the next state index.
        Episode ends are ignored: this is the map, not the rules.
        """
        return None

    def search_space(self, edits: int) -> SearchSpace | None:
        """The levels as points, with up to ``edits`` edits; None if they cannot be searched."""
        return None

    def level_editor(self) -> LevelEditor | None:
        """Reads, edits and starts levels that no seed makes; None if they cannot be edited."""
        return None

    @property
    def state_ids_suffice(self) -> bool:
        """Whether observations are a function of the level and the state index alone.

        Then the expected occupancy of a policy follows from its action probabilities in
        every state.
        """
        return False

    def level_text(self, index: int) -> str:
        """str: the level of environment ``index``, the agent where it is now.

        :meth:`place_text` reads this form where ``reads_levels`` is set.
        """
        return self.render_ansi(index)

    def place_text(self, text: str, index: int) -> None:
        """Start the level that ``text`` describes in environment ``index``.

        Raises:
            ValueError: the text is not a level, or this environment reads none.
        """
        raise ValueError(f"{self.env_id} does not take levels as text")

    def level_facts(self, index: int) -> dict[str, Any]:
        """{name: JSON value}: what a drawing needs in addition to :meth:`level_text`."""
        return {}

    def walker_cells(self) -> NDArray[np.int64] | None:
        """int64[N, 2]: (row, column) of the cells that :meth:`put_walker` accepts.

        Of the level of the first environment; None where levels are not made of cells.
        """
        return None

    def put_walker(self, cells: NDArray[np.int64]) -> None:
        """Start the first environment's level with the agent on ``cells[k]`` in environment k.

        Args:
            cells: int64[K, 2], K at most ``num_envs``, rows of :meth:`walker_cells`.

        Raises:
            ValueError: levels are not made of cells.
        """
        raise ValueError(f"{self.env_id} has no levels made of cells")

    def positions(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[K, 2]: (x, y) of the agents on open water; float64[K, 0] on grids."""
        return np.empty((len(indices), 0))

    def scene_state(self, index: int) -> dict[str, Any]:
        """{name: JSON value}: what a drawing shows of a step in addition to the state index."""
        return {}

    def picture_positions(self) -> Callable[[], NDArray[np.float64]]:
        """Function () -> float64[N, 2]: x and y of the agents, in pixels of ``render_rgb``.

        It is valid for the levels that run now: another level may be drawn at another scale.
        """
        height, pixels = self.render_rgb(0).shape[:2]
        width = round((self.num_states * pixels / height) ** 0.5)
        return lambda: cell_centres(self.core.state_ids, width) * (pixels / width)

    def cell_outlines(self, level_seed: int) -> NDArray[np.float64] | None:
        """float64[num_states, 4, 2]: corners of the states in the picture of a course, or None.

        None where states are the cells of a grid, or no places.
        """
        return None

    def place_map(self, level_seed: int) -> PlaceMap | None:
        """The spatial layout of state indices (:class:`~proxylab_envs.scenes.PlaceMap`).

        None if they are not cells of a map. The level is started in the first environment.
        """
        return grid_map(self._text(level_seed), self.num_states)

    def level_scene(
        self, level_seed: int, places: dict[str, NDArray[np.int64]]
    ) -> GridScene | CourseScene:
        """A level at its start, for drawings (:class:`~proxylab_envs.scenes.GridScene`).

        Args:
            level_seed: the level, which is started in the first environment.
            places: {landmark: int64[n] its states}.
        """
        return grid_scene(self._text(level_seed), places, self.things)

    def _text(self, level_seed: int) -> list[str]:
        self.reset_levels(np.array([level_seed], np.int64), np.array([0]))
        return self.render_ansi(0).splitlines()

    @abstractmethod
    def render_rgb(self, index: int) -> NDArray[np.uint8]:
        """uint8[H, W, 3]: image of environment ``index``."""

    @abstractmethod
    def render_ansi(self, index: int) -> str:
        """str: environment ``index`` as text."""
