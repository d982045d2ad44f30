"""The folder of everything that can be made again: compiled kernels, rollouts of trusted agents.

It is the user's cache folder of the operating system (``~/.cache/proxylab`` on Linux), or
``PROXYLAB_CACHE``; never the current folder. Deleting it costs time only.
"""

import os
import shutil
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


def make_room(folder: Path, limit: int) -> None:
    """Remove the least recently used entries of a cache until the others fit.

    Args:
        folder: its entries are files or folders; hidden ones are being written and stay.
        limit: bytes.
    """
    entries = [path for path in folder.iterdir() if path.name[0] != "."]
    sizes = {path: _size(path) for path in entries}
    total = sum(sizes.values())
    for path in sorted(entries, key=lambda path: path.stat().st_mtime_ns):
        if total <= limit:
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        total -= sizes[path]


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
