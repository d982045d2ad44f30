"""The store of scores and fitted states between judgements, as the judgement sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes

Arrays = dict[str, NDArray[Any]]


class Packing(NamedTuple):
    """How a state is stored: as named arrays, without code.

    Attributes:
        fit: () -> state.
        pack: state -> {name: array}.
        unpack: {name: array} -> the same state; ``KeyError`` or ``ValueError`` for others.
    """

    fit: Callable[[], Any]
    pack: Callable[[Any], Arrays]
    unpack: Callable[[Arrays], Any]


class ScoreCache(Protocol):
    """A store of calibration scores between calls (``proxylab.screening.cache``)."""

    def fitted(
        self, what: str, trusted: Sequence[Episodes], task: TaskView | None, packing: Packing
    ) -> Any:
        """The state ``what`` that depends on these episodes and this task alone."""
        ...

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
