"""Ids as a table, and the three ways to make an environment from its id.

``make_batched`` gives the batched core, ``make_env`` and ``make_vector`` the
Gymnasium shells over it; ``gymnasium.make`` and ``gymnasium.make_vec`` call the
latter two. An environment's module is imported when it is first made.
"""

from dataclasses import dataclass, fields
from importlib import import_module

import gymnasium as gym

from proxylab_envs.shells import EnvShell, VectorShell, make_levels


@dataclass(frozen=True)
class EnvEntry:
    """Where an environment lives.

    Attributes:
        env: ``module:Class`` of the :class:`~proxylab_envs.batch.BatchedEnv`.
        config: ``module:Class`` of the frozen dataclass of its env_kwargs.
    """

    env: str
    config: str

    def load(self):
        """Import both: (environment class, config class)."""
        return _attribute(self.env), _attribute(self.config)


ENVS = {
    "proxylab/MazeCorner-v0": EnvEntry(
        "proxylab_envs.maze_corner:MazeCorner", "proxylab_envs.maze_corner:MazeConfig"
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
    "proxylab/ProcgenMaze-v0": EnvEntry(
        "proxylab_envs.procgen_maze:ProcgenMaze", "proxylab_envs.procgen_maze:ProcgenConfig"
    ),
}
"""Every id; a version rises when the dynamics or the generator change."""

OPTIONAL_ENVS = {
    "proxylab/RealProcgenMaze-v0": EnvEntry(
        "proxylab_envs.procgen:RealProcgenMaze", "proxylab_envs.procgen:RealProcgenConfig"
    ),
}
"""Ids that need what is not installed with the package; making one says what."""

SHELL_KNOBS = ("split", "shifted_share", "num_levels", "reward", "render_mode")
"""Keyword arguments of every id, beside the env_kwargs of its config."""


def make_batched(env_id, num_envs, **env_kwargs):
    """Make the batched core of an id.

    Args:
        env_id: a key of ``ENVS``.
        num_envs: how many environments step at once.
        **env_kwargs: fields of the id's config.

    Returns:
        A :class:`~proxylab_envs.batch.BatchedEnv`; ``seed_levels`` and ``reset`` start it.

    Raises:
        ValueError: the id does not exist, or a knob's value is out of range.
        TypeError: a knob does not exist; the message names those that do.
    """
    env_class, config_class = _entry(env_id).load()
    names = knob_names(env_id)
    unknown = sorted(set(env_kwargs) - set(names))
    if unknown:
        raise TypeError(
            f"{env_id} has no knob {', '.join(map(repr, unknown))}: its env_kwargs are "
            f"{', '.join(names)} (and for gymnasium.make {', '.join(SHELL_KNOBS)})"
        )
    return env_class(num_envs, config=config_class(**env_kwargs))


def knob_names(env_id):
    """Names of the env_kwargs of an id's config, in their order."""
    _, config_class = _entry(env_id).load()
    return tuple(field.name for field in fields(config_class))


def make_env(
    env_id,
    split="train",
    shifted_share=None,
    num_levels=None,
    reward="true",
    render_mode=None,
    **env_kwargs,
):
    """Entry point of ``gymnasium.make``: one environment.

    Args:
        env_id: a key of ``ENVS``.
        split: which levels (``train``, ``iid``, ``shifted``).
        shifted_share: probability of a shifted level, by default the split's own.
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
    env_id,
    num_envs=1,
    split="train",
    shifted_share=None,
    num_levels=None,
    reward="true",
    render_mode=None,
    **env_kwargs,
):
    """Entry point of ``gymnasium.make_vec``: ``num_envs`` environments, arguments as ``make_env``.

    Returns:
        A :class:`~proxylab_envs.shells.VectorShell`.
    """
    levels = make_levels(split, shifted_share, num_levels)
    return VectorShell(make_batched(env_id, num_envs, **env_kwargs), levels, reward, render_mode)


def register_all():
    """Make every id known to Gymnasium; ids that it knows already are left alone."""
    for env_id in ENVS | OPTIONAL_ENVS:
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=f"{__name__}:make_env",
                vector_entry_point=f"{__name__}:make_vector",
                kwargs={"env_id": env_id},
            )


def _entry(env_id):
    known = ENVS | OPTIONAL_ENVS
    if env_id not in known:
        raise ValueError(f"unknown environment {env_id!r}: choose {', '.join(known)}")
    return known[env_id]


def _attribute(path):
    module, name = path.split(":")
    return getattr(import_module(module), name)
