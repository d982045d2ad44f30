"""The environment of a run: that of the task, or another one given by ``--env``."""

import functools
from typing import Any

from proxylab.environments.gymnasium_ids import SHORT_NAMES
from proxylab.errors import UsageError
from proxylab.tasks import TASKS, known_task, own_task
from proxylab_envs.registry import ENVS, OPTIONAL_ENVS, make_batched


def task_in_environment(task: str | None, env: str | None) -> str | None:
    """The task of ``env``: ``task``, or a new one for a third-party environment.

    Args:
        task: task name or None.
        env: see :func:`make_environment`; ``module:factory`` and the id of another package
            register a task without roles, named ``task`` if that is given and unknown, else
            ``module:factory`` or the id.

    Returns:
        Task name; None where both are None.

    Raises:
        UsageError: the environment cannot be made; nothing is registered then.
    """
    if env is None or is_ours(env):
        return task
    # only for third-party environments
    from proxylab.environments.gym_adapter import make_own, short_env_name

    name = task or short_env_name(env)
    if name not in TASKS:
        make_own(env, 1)  # a name that cannot be made is no task
        TASKS[name] = own_task(name, functools.partial(make_own, env))
    return name


def is_ours(env: str) -> bool:
    """Whether ``--env`` names an environment of ``proxylab_envs``."""
    return SHORT_NAMES.get(env, env) in ENVS | OPTIONAL_ENVS


def make_environment(
    task: str, num_envs: int, env: str | None = None, **env_kwargs: Any
) -> Any:  # a BatchedEnv; callers also use what only one environment has
    """A batched environment for the agents of a task.

    Args:
        task: task name.
        num_envs: number of environments in the batch.
        env: None for the task's own; ``procgen`` (the real game), any Gymnasium id, or
            ``module:factory``.
        env_kwargs: of the environment; they override those of the task.

    Returns:
        A :class:`~proxylab_envs.batch.BatchedEnv`.

    Raises:
        UsageError: no such task or environment, or it is not installed.
    """
    known_task(task)
    if env is None:
        return TASKS[task].make_env(num_envs, **env_kwargs)
    if not is_ours(env):
        from proxylab.environments.gym_adapter import make_own  # only for third-party environments

        return make_own(env, num_envs)
    try:
        return make_batched(
            SHORT_NAMES.get(env, env), num_envs, **{**TASKS[task].env, **env_kwargs}
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"{env}: {error}") from None
