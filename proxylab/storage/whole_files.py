"""Atomic writing of files: a file appears under its name only when it is complete.

This module imports only the errors of the package, so figures and pages can use it as well as
``store``.
"""

import errno
import glob
import os
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from proxylab.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error codes of a full disk or an exceeded quota."""

PART = ".part"
"""Suffix of files that are being written."""

STALE = 3_600
"""Seconds after which such a file counts as left over from a killed process."""


@contextmanager
def whole_file(path: str | Path) -> Generator[Path]:
    """A temporary path beside ``path``, renamed to it when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path.parent, f".{glob.escape(path.name)}.", time.time() - STALE)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
        _to_disk(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if is_full(error):
            raise DiskFullError(path) from error
        raise


def is_full(error: BaseException | None) -> bool:
    """Whether an error or its cause is a full disk; libraries may only give the message."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if isinstance(error, Exception) and any(os.strerror(code) in str(error) for code in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def _to_disk(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(folder: Path, prefix: str, before: float) -> None:
    """Remove partial files of killed processes; ``before`` is a time in seconds."""
    for part in folder.glob(f"{prefix}*{PART}"):
        with suppress(OSError):
            if part.stat().st_mtime <= before:
                part.unlink()
