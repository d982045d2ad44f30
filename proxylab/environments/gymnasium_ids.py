"""Environments by their Gymnasium id, such as ``FrozenLake-v1`` or ``MiniGrid-FourRooms-v0``.

Gymnasium itself loads no other package's environments since version 1.0: a package registers its
ids when it is imported. ``module:Id-v0`` names the package; :data:`PACKAGES` knows some by the
beginning of the id.
"""

import functools
import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import gymnasium as gym

from proxylab.console.terminal import one_line
from proxylab.environments.plugins import is_reference, load_own
from proxylab.errors import UsageError, nearest

PACKAGES = {"MiniGrid-": "minigrid", "BabyAI-": "minigrid", "ALE/": "ale_py"}
"""Beginning of an id: the package that registers it."""

SHORT_NAMES = {"procgen": "proxylab/RealProcgenMaze-v0"}
"""Short names that ``--env`` accepts beside Gymnasium ids and ``module:factory``."""

EXTRAS = ("minigrid",)
"""Packages that are an extra of proxylab."""


def env_factory(env: str) -> Callable[[], Any]:
    """Function without arguments that makes a new environment of ``--env``.

    Args:
        env: ``module:factory``, or a Gymnasium id, those of ``proxylab_envs`` included.

    Raises:
        UsageError: the module cannot be imported, or has no such attribute.
    """
    if is_reference(env):
        return load_own(env)
    return functools.partial(make_by_id, env)


def make_by_id(env_id: str) -> gym.Env[Any, Any]:
    """The environment of a Gymnasium id, with its own time limit and without Gymnasium's checks.

    Observations of MiniGrid are flattened as rl-zoo3 does it
    (``minigrid.wrappers.FlatObsWrapper``: the view, then the mission as text).

    Raises:
        UsageError: there is no such id, or its package is not installed.
    """
    _import_package(env_id)
    try:
        env = gym.make(env_id, disable_env_checker=True, render_mode=_render_mode(env_id))
    except (gym.error.Error, ImportError) as error:
        raise UsageError(f"{env_id}: {one_line(error)}{_hint(env_id)}") from None
    space = env.observation_space
    if isinstance(space, gym.spaces.Dict) and {"image", "mission"} <= set(space.spaces):
        from minigrid.wrappers import FlatObsWrapper  # the extra of such environments

        return FlatObsWrapper(env)
    return env


@functools.cache
def _render_mode(env_id: str) -> str | None:
    """``ansi`` where an environment draws text, else ``rgb_array``; None where it draws nothing."""
    env = gym.make(env_id, disable_env_checker=True)
    modes = env.metadata.get("render_modes", ())
    env.close()
    return next((mode for mode in ("ansi", "rgb_array") if mode in modes), None)


def _import_package(env_id: str) -> None:
    """Import the package that registers an id, where it is known and installed."""
    for beginning, package in PACKAGES.items():
        if env_id.startswith(beginning):
            if find_spec(package) is None:
                name = f"'proxylab[{package}]'" if package in EXTRAS else package
                raise UsageError(f"{env_id} needs {package}: pip install {name}")
            gym.register_envs(importlib.import_module(package))
    if env_id.startswith("proxylab/"):
        gym.register_envs(importlib.import_module("proxylab_envs"))


def _hint(env_id: str) -> str:
    """Where an id may come from that nobody has registered, or what was meant."""
    if ":" in env_id or env_id in gym.registry:
        return ""
    if near := nearest(env_id, [*SHORT_NAMES, *gym.registry]):
        return f": did you mean {near}?"
    return " (of another package: module:Id-v0, which imports the module; or module:factory)"
