"""The interface of a detector, as the judgement sees it."""

from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.score_cache import Packing
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes

if TYPE_CHECKING:
    from proxylab.detection.records import Pursuit


class Score(Protocol):
    """What every detector has."""

    @property
    def name(self) -> str:
        """In tables and on the command line."""
        ...

    @property
    def access(self) -> str:
        """What it reads: W, Q, L or P (see ``detection.scores.registry``)."""
        ...

    def fit(self, reference: list[Episodes], task: TaskView) -> Any:
        """State from paired reference policies and the task's TaskView; opaque to the caller."""
        ...

    def score(self, state: Any, suspect: Episodes, rng: np.random.Generator) -> float:
        """How anomalous the suspect's Episodes are: higher is more; NaN where undefined."""
        ...


class ListedScore(Score, Protocol):
    """A detector of the table: it also describes its score."""

    @property
    def unit(self) -> str:
        """Unit of the score."""
        ...

    @property
    def source(self) -> str:
        """Where the score comes from."""
        ...

    @property
    def higher_is(self) -> str:
        """What a higher score means."""
        ...


class EpisodeScore(Score, Protocol):
    """A detector whose score is the mean of a value per episode."""

    def per_episode(self, state: Any, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E]; NaN for an episode on which the score is undefined."""
        ...


class ReducedScore(Score, Protocol):
    """A detector whose score is another function of a value per episode than the mean."""

    def values(self, state: Any, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E]; higher is more anomalous."""
        ...

    def reduce(self, values: NDArray[np.float64]) -> float:
        """The score of episodes with these values (float64[E])."""
        ...


class StepScore(Score, Protocol):
    """A detector that can point at steps."""

    def per_step(self, state: Any, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T]; NaN for a step at which the score is undefined."""
        ...


class GoalScore(Score, Protocol):
    """A detector that can name goals."""

    def pursues(self, state: Any, suspect: Episodes) -> "list[Pursuit]":
        """Goals other than the trusted one, the likeliest first."""
        ...


class PackedScore(Score, Protocol):
    """A detector whose fitted state can be stored: one that takes long to fit."""

    def packing(self, reference: list[Episodes], task: TaskView) -> Packing:
        """How to fit and to store the state."""
        ...


def has_episodes(detector: Score) -> TypeGuard[EpisodeScore]:
    """Whether the detector's score is the mean of a value per episode."""
    return hasattr(detector, "per_episode")


def has_values(detector: Score) -> TypeGuard[ReducedScore]:
    """Whether the detector's score is a function of a value per episode, given by ``reduce``."""
    return hasattr(detector, "values") and hasattr(detector, "reduce")


def has_packing(detector: Score) -> TypeGuard[PackedScore]:
    """Whether the detector's fitted state can be stored."""
    return hasattr(detector, "packing")


def has_steps(detector: Score) -> TypeGuard[StepScore]:
    """Whether the detector can point at steps."""
    return hasattr(detector, "per_step")


def has_goals(detector: Score) -> TypeGuard[GoalScore]:
    """Whether the detector can name goals."""
    return hasattr(detector, "pursues")
