"""What a detector may know of a task beside the episodes: the map, and the objects on it."""

from dataclasses import dataclass, field

import numpy as np

from proxylab.detection.pairing import NotApplicable

NOWHERE = -1
"""In ``successors``: no such state. In ``landmark_distances``: out of reach."""


@dataclass(frozen=True, eq=False)
class TaskView:
    """The world of a task, level by level, without any reward.

    A landmark is an object of the world (in a maze the cheese is one, and so is the
    corner): that it is there says nothing of whether reaching it pays. What is not
    known is None, and scores that need it do not apply.

    Attributes:
        task: name of the task.
        num_states: S, number of state indices, or 0 where the task has none.
        num_actions: A.
        landmarks: names of L landmarks.
        levels: int64[K], level seeds, ascending.
        landmark_distances: int16[K, L, S], steps from each state to each landmark,
            ``NOWHERE`` where it is out of reach; or None.
        successors: int32[K, S, A], the state that an action leads to, where that is
            certain, ``NOWHERE`` where there is no such state (a wall); or None.

    Raises:
        ValueError: a shape does not fit.
    """

    task: str
    num_states: int
    num_actions: int
    landmarks: tuple[str, ...] = ()
    levels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    landmark_distances: np.ndarray | None = None
    successors: np.ndarray | None = None

    def __post_init__(self):
        shapes = {
            "landmark_distances": (len(self.levels), len(self.landmarks), self.num_states),
            "successors": (len(self.levels), self.num_states, self.num_actions),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
        if len(self.levels) > 1 and not (np.diff(self.levels) > 0).all():
            raise ValueError("levels must ascend")

    def rows(self, level_seeds, detector):
        """int64[N]: index into ``levels`` of each of ``level_seeds`` (int64[N]).

        Raises:
            NotApplicable: the world of a level is not known.
        """
        if not len(self.levels):
            raise NotApplicable(f"{detector} needs the task's environment, not logs alone")
        rows = np.minimum(np.searchsorted(self.levels, level_seeds), len(self.levels) - 1)
        strange = np.flatnonzero(self.levels[rows] != level_seeds)
        if strange.size:
            seed = level_seeds[strange[0]]
            raise NotApplicable(f"{detector}: the map of level {seed} is not known")
        return rows


def bare_view(episodes):
    """The :class:`TaskView` of a task of which only Episodes are known."""
    return TaskView(episodes.task, episodes.num_states, episodes.num_actions)
