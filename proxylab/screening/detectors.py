"""A detector by its name, or one of somebody's own."""

from proxylab.detection import SCORES, find_score
from proxylab.detection.scores.registry import complete
from proxylab.environments.plugins import is_reference, load_own
from proxylab.errors import UsageError


def detector_of(name):
    """The detector of a name, ``module:Class`` or ``file.py:Class`` (see ``own_code``).

    Raises:
        UsageError: there is none, it cannot be made, or it lacks a part.
    """
    if not isinstance(name, str) or name in SCORES or not is_reference(name):
        return find_score(name)
    try:
        return complete(load_own(name)(), name)
    except TypeError as error:
        raise UsageError(f"cannot make the detector {name!r}: {error}") from None
