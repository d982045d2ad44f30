"""Large logs on several processors: files are read and policies scored in other processes.

The episodes lie in files of the folder for temporary files, so that only their places are sent. On
Ray that folder and the logs must be on a file system that all machines share.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from proxylab.training.jobs import results_of

JOBS = 16
"""Largest number of jobs in which policies or files are divided."""

RETRIES = 3
"""Further tries of a job whose process dies."""


def parallel(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    engine: str = "local",
    processes: int | None = None,
) -> list[Any]:
    """Call a picklable function of every item, in jobs of consecutive items.

    Args:
        function: of an item; it changes no result of another.
        items: picklable.
        engine: ``local`` or ``ray``, see :func:`proxylab.training.jobs.execute`.
        processes: number in parallel; by default one per processor (of the cluster).

    Returns:
        The results in the order of the items.

    Raises:
        Exception: that of the first job that fails.
    """
    size = max(1, -(-len(items) // JOBS))
    jobs = [items[first : first + size] for first in range(0, len(items), size)]
    if len(items) == 1 and engine == "local":
        return [function(items[0])]
    given: dict[str, Any] = {"engine": engine, "processes": processes, "retries": RETRIES}
    parts = results_of(partial(_each, function), jobs, **given)
    return [result for part in parts for result in part]


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]
