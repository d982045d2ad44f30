"""The store of calibration scores between judgements, as the judgement sees it."""

from collections.abc import Mapping
from typing import Protocol

from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes


class ScoreCache(Protocol):
    """A store of calibration scores between calls (``proxylab.screening.cache``)."""

    def scores(
        self, reference: list[Episodes], calibration: list[Episodes], task: TaskView | None
    ) -> Mapping[str, list[float]]:
        """{memory key of a detector: its scores of these calibration policies}; may be empty."""
        ...

    def keep(
        self,
        reference: list[Episodes],
        calibration: list[Episodes],
        task: TaskView | None,
        scores: dict[str, list[float]],
    ) -> None:
        """Store ``scores`` for later calls of :meth:`scores`."""
        ...
