"""The table of environment ids, and three functions that make an environment from its id.

``make_batched`` gives the batched core, ``make_env`` and ``make_vector`` the
Gymnasium shells over it; ``gymnasium.make`` and ``gymnasium.make_vec`` call the
latter two. An environment's module is imported on first use.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import gymnasium as gym

from proxylab_envs.batch import BatchedEnv
from proxylab_envs.shells import EnvShell, VectorShell, make_levels


@dataclass(frozen=True)
class EnvEntry:
    """The classes behind an id.

    Attributes:
        env: ``module:Class`` of the :class:`~proxylab_envs.batch.BatchedEnv`.
        config: ``module:Class`` of the frozen dataclass of its parameters.
    """

    env: str
    config: str

    def load(self) -> tuple[Callable[..., BatchedEnv[Any]], type[Any]]:
        """Import both: (environment class, config class)."""
        return _attribute(self.env), _attribute(self.config)


ENVS = {
    "proxylab/MazeCorner-v1": EnvEntry(
        "proxylab_envs.maze_corner:MazeCorner", "proxylab_envs.maze_corner:MazeConfig"
    ),
    "proxylab/MazeCorner-v0": EnvEntry(
        "proxylab_envs.maze_corner:MazeCornerV0", "proxylab_envs.maze_corner:MazeConfigV0"
    ),
    "proxylab/BoatRace-v0": EnvEntry(
        "proxylab_envs.boat_race:BoatRace", "proxylab_envs.boat_race:BoatRaceConfig"
    ),
    "proxylab/BoatLagoon-v0": EnvEntry(
        "proxylab_envs.boat_lagoon:BoatLagoon", "proxylab_envs.boat_lagoon:BoatLagoonConfig"
    ),
    "proxylab/TomatoWatering-v0": EnvEntry(
        "proxylab_envs.tomato_watering:TomatoWatering",
        "proxylab_envs.tomato_watering:TomatoConfig",
    ),
    "proxylab/KeysChests-v0": EnvEntry(
        "proxylab_envs.keys_chests:KeysChests", "proxylab_envs.keys_chests:KeysConfig"
    ),
    "proxylab/Dish-v0": EnvEntry("proxylab_envs.dish:Dish", "proxylab_envs.dish:DishConfig"),
    "proxylab/ColouredDigits-v0": EnvEntry(
        "proxylab_envs.coloured_digits:ColouredDigits",
        "proxylab_envs.coloured_digits:DigitsConfig",
    ),
    "proxylab/ColourShape-v0": EnvEntry(
        "proxylab_envs.colour_shape:ColourShape", "proxylab_envs.colour_shape:ColourShapeConfig"
    ),
    "proxylab/ProcgenMaze-v0": EnvEntry(
        "proxylab_envs.procgen_maze:ProcgenMaze", "proxylab_envs.procgen_maze:ProcgenConfig"
    ),
}
"""Every id; its version is incremented when the dynamics or the generator change."""

OPTIONAL_ENVS = {
    "proxylab/RealProcgenMaze-v0": EnvEntry(
        "proxylab_envs.procgen:RealProcgenMaze", "proxylab_envs.procgen:RealProcgenConfig"
    ),
}
"""Ids with optional dependencies; the error on making one names them."""
COIN_RUN = "proxylab/RealCoinRun-v0", "proxylab_envs.procgen.coinrun:RealCoinRun"
"""Id and class of the one environment without a batched core: its steps are the game's own."""

SHELL_KWARGS = ("split", "shifted_share", "num_levels", "reward", "render_mode")
"""Keyword arguments of every id, in addition to the fields of its config."""


def make_batched(env_id: str, num_envs: int, **env_kwargs: Any) -> BatchedEnv[Any]:
    """Make the batched core of an id.

    Args:
        env_id: a key of ``ENVS``.
        num_envs: how many environments step at once.
        **env_kwargs: fields of the id's config.

    Returns:
        A :class:`~proxylab_envs.batch.BatchedEnv`; ``seed_levels`` and ``reset`` start it.

    Raises:
        ValueError: the id does not exist, or a value is out of range.
        TypeError: unknown parameter; the message lists the known ones.
    """
    env_class, config_class = _entry(env_id).load()
    names = parameter_names(env_id)
    unknown = sorted(set(env_kwargs) - set(names))
    if unknown:
        raise TypeError(
            f"{env_id} has no parameter {', '.join(map(repr, unknown))}: its parameters are "
            f"{', '.join(names)} (and for gymnasium.make {', '.join(SHELL_KWARGS)})"
        )
    return env_class(num_envs, config=config_class(**env_kwargs))


def parameter_names(env_id: str) -> tuple[str, ...]:
    """Field names of an id's config, in order."""
    _, config_class = _entry(env_id).load()
    return tuple(field.name for field in fields(config_class))


def make_env(
    env_id: str,
    split: str = "train",
    shifted_share: float | None = None,
    num_levels: int | None = None,
    reward: str = "true",
    render_mode: str | None = None,
    **env_kwargs: Any,
) -> EnvShell:
    """Entry point of ``gymnasium.make``: one environment.

    Args:
        env_id: a key of ``ENVS``.
        split: which levels (``train``, ``iid``, ``shifted``).
        shifted_share: probability of a shifted level, by default determined by the split.
        num_levels: size of a finite set of levels, by default no limit.
        reward: channel that ``step`` returns (see ``channels.reward_weights``).
        render_mode: ``rgb_array``, ``ansi``, ``human`` or ``None``.
        **env_kwargs: fields of the id's config.

    Returns:
        An :class:`~proxylab_envs.shells.EnvShell`.
    """
    levels = make_levels(split, shifted_share, num_levels)
    return EnvShell(make_batched(env_id, 1, **env_kwargs), levels, reward, render_mode)


def make_vector(
    env_id: str,
    num_envs: int = 1,
    split: str = "train",
    shifted_share: float | None = None,
    num_levels: int | None = None,
    reward: str = "true",
    render_mode: str | None = None,
    **env_kwargs: Any,
) -> VectorShell:
    """Entry point of ``gymnasium.make_vec``: ``num_envs`` environments, arguments as ``make_env``.

    Returns:
        A :class:`~proxylab_envs.shells.VectorShell`.
    """
    levels = make_levels(split, shifted_share, num_levels)
    return VectorShell(make_batched(env_id, num_envs, **env_kwargs), levels, reward, render_mode)


def register_all() -> None:
    """Register every id with Gymnasium; ids that are already registered are skipped."""
    for env_id in ENVS | OPTIONAL_ENVS:
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=f"{__name__}:make_env",
                vector_entry_point=f"{__name__}:make_vector",
                kwargs={"env_id": env_id},
            )
    if COIN_RUN[0] not in gym.registry:
        gym.register(COIN_RUN[0], entry_point=COIN_RUN[1])


def _entry(env_id: str) -> EnvEntry:
    known = ENVS | OPTIONAL_ENVS
    if env_id not in known:
        raise ValueError(f"unknown environment {env_id!r}: choose {', '.join(known)}")
    return known[env_id]


def _attribute(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(module), name)
