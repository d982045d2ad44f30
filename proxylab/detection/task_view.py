"""What a detector may know of a task besides the episodes: the map and the objects on it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.rollouts.episodes import Episodes

NOWHERE = -1
"""In ``successors``: no such state. In ``landmark_distances``: out of reach."""


@dataclass(frozen=True, eq=False)
class TaskView:
    """The environment of a task, level by level, without any reward.

    A landmark is an object or a place of the environment (in a maze the cheese and the
    corner); it carries no information on rewards. What is unknown is None, and scores that
    need it do not apply.

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
    levels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    landmark_distances: NDArray[np.int16] | None = None
    successors: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
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

    def moves(self, detector: str) -> NDArray[np.int32]:
        """``successors``, for a detector that requires them.

        Raises:
            NotApplicable: they are not known.
        """
        if self.successors is None:
            raise NotApplicable(f"{detector} needs to know where each action leads")
        return self.successors

    def rows(self, level_seeds: NDArray[np.int64], detector: str) -> NDArray[np.int64]:
        """int64[N]: index into ``levels`` of each of ``level_seeds`` (int64[N]).

        Raises:
            NotApplicable: the map of a level is not known.
        """
        if not len(self.levels):
            raise NotApplicable(f"{detector} needs the task's environment, not logs alone")
        rows = np.minimum(np.searchsorted(self.levels, level_seeds), len(self.levels) - 1)
        unknown = np.flatnonzero(self.levels[rows] != level_seeds)
        if unknown.size:
            seed = level_seeds[unknown[0]]
            raise NotApplicable(f"{detector}: the map of level {seed} is not known")
        return rows


def bare_view(episodes: Episodes) -> TaskView:
    """The :class:`TaskView` of a task of which only Episodes are known."""
    return TaskView(episodes.task, episodes.num_states, episodes.num_actions)
