"""A mark for tests that need the original games."""

import pytest

from proxylab_envs.procgen.install import ProcgenMissing, find_library


def _missing() -> str:
    """Why the original games are not to be had here, empty where they are."""
    try:
        find_library()
    except ProcgenMissing as error:
        return str(error)
    return ""


_WHY_NOT = _missing()
needs_the_game = pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT or "the games are there")
