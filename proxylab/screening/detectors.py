"""A detector by its name, or a user-defined one by ``module:Class`` or ``file.py:Class``."""

from proxylab.detection import SCORES, find_score
from proxylab.detection.scores.registry import Score, complete
from proxylab.environments.plugins import is_reference, load_own
from proxylab.errors import UsageError


def detector_of(name: str | Score) -> Score:
    """The detector of a name, ``module:Class`` or ``file.py:Class``; a detector object as it is.

    Raises:
        UsageError: there is none, it cannot be created, or it lacks an attribute or a method.
    """
    if not isinstance(name, str) or name in SCORES or not is_reference(name):
        return find_score(name)
    try:
        return complete(load_own(name)(), name)
    except TypeError as error:
        raise UsageError(f"cannot make the detector {name!r}: {error}") from None
