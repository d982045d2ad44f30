"""Where agents play: the environment of their task, or another one by ``--env``."""

import functools

from proxylab.environments.plugins import is_reference, short_name
from proxylab.errors import UsageError
from proxylab.tasks import TASKS, own_task
from proxylab_envs.registry import ENVS, OPTIONAL_ENVS, make_batched

SHORT_NAMES = {"procgen": "proxylab/RealProcgenMaze-v0"}
"""What ``--env`` may be beside an id."""


def task_in_environment(task, env):
    """The task that is played in ``env``: ``task`` itself, but somebody's own environment is one.

    Args:
        task: task name or None.
        env: see :func:`make_environment`; ``module:factory`` becomes a task of that name (or of the
            name ``task``, where there is no such task) without roles.

    Returns:
        Task name, or None where neither says it.
    """
    if env is None or not is_reference(env):
        return task
    from proxylab.environments.gym_adapter import make_own  # only for third-party environments

    name = task or short_name(env)
    if name not in TASKS:
        TASKS[name] = own_task(name, functools.partial(make_own, env))
    return name


def make_environment(task, num_envs, env=None, **env_kwargs):
    """A batched environment for the agents of a task.

    Args:
        task: task name.
        num_envs: how many environments step at once.
        env: None for the task's own; ``procgen`` (the real game), an id of ours, or
            ``module:factory``.
        env_kwargs: of the environment, over those of the task.

    Raises:
        UsageError: no such task or environment, or it is not installed.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}: choose {', '.join(TASKS)}")
    if env is None:
        return TASKS[task].make_env(num_envs, **env_kwargs)
    if is_reference(env):
        from proxylab.environments.gym_adapter import make_own  # only for third-party environments

        return make_own(env, num_envs)
    env_id = SHORT_NAMES.get(env, env)
    if env_id not in ENVS | OPTIONAL_ENVS:
        known = ", ".join((*SHORT_NAMES, *ENVS, *OPTIONAL_ENVS))
        raise UsageError(f"unknown environment {env!r}: choose {known}")
    try:
        return make_batched(env_id, num_envs, **{**TASKS[task].env, **env_kwargs})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{env}: {error}") from None
