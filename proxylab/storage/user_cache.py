"""The folder of everything that can be made again: compiled kernels, rollouts of trusted agents.

It is the user's cache folder of the operating system (``~/.cache/proxylab`` on Linux), or
``PROXYLAB_CACHE``; never the current folder. Deleting it costs time only.
"""

import os
from pathlib import Path

KERNELS = "NUMBA_CACHE_DIR"
"""Environment variable that numba reads when it loads."""


def cache_root() -> Path:
    """``PROXYLAB_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("PROXYLAB_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs  # loads only where nothing is set

    return platformdirs.user_cache_path("proxylab", appauthor=False)


def keep_kernels() -> None:
    """Let numba store compiled kernels in the cache, unless the user has named a folder."""
    if not os.environ.get(KERNELS):
        os.environ[KERNELS] = str(cache_root() / "numba")
