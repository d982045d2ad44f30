"""The map that a detector may know, read from an environment."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.task_view import TaskView
from proxylab_envs.batch import BatchedEnv


def view_of(env: BatchedEnv[Any], task: str, levels: NDArray[np.int64]) -> TaskView:
    """The :class:`TaskView` of ``levels`` (int64[K], ascending) in an environment of ``task``."""
    return TaskView(
        task=task,
        num_states=env.num_states,
        num_actions=int(env.single_action_space.n),
        landmarks=tuple(env.landmarks),
        levels=levels,
        landmark_distances=env.landmark_distances(levels) if env.landmarks else None,
        successors=env.successors(levels),
    )
