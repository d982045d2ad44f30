"""Where agents play: the environment of their task, or another one by ``--env``."""

from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab_envs.registry import ENVS, OPTIONAL_ENVS, make_batched

SHORT_NAMES = {"procgen": "proxylab/RealProcgenMaze-v0"}
"""What ``--env`` may be beside an id."""


def make_world(task, num_envs, env=None, **knobs):
    """A batched environment for the agents of a task.

    Args:
        task: task name.
        num_envs: how many environments step at once.
        env: None for the task's own; ``procgen`` (the real game) or an id of ours.
        knobs: of the environment, over those of the task.

    Raises:
        UsageError: no such task or environment, or it is not installed.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}: choose {', '.join(TASKS)}")
    if env is None:
        return TASKS[task].make_env(num_envs, **knobs)
    env_id = SHORT_NAMES.get(env, env)
    if env_id not in ENVS | OPTIONAL_ENVS:
        known = ", ".join((*SHORT_NAMES, *ENVS, *OPTIONAL_ENVS))
        raise UsageError(f"unknown environment {env!r}: choose {known}")
    try:
        return make_batched(env_id, num_envs, **{**TASKS[task].env, **knobs})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{env}: {error}") from None
