"""Errors that the caller can fix: one line with the problem and the remedy."""

import errno
import os
from pathlib import Path


class UsageError(ValueError):
    """Invalid use: an unknown name, an impossible number, a missing file."""


class DiskFullError(OSError):
    """A full disk; no partial file remains."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Name the file that could not be written."""
        code = errno.ENOSPC
        super().__init__(code, os.strerror(code), None if path is None else str(path))

    def __str__(self) -> str:
        """The problem and the remedy."""
        where = f"{self.filename}: " if self.filename else ""
        advice = "free some space, or write elsewhere (--out, PROXYLAB_RESULTS), and run it again"
        return f"{where}the disk is full ({self.strerror}): {advice}"


class AgentError(UsageError):
    """An agent that is missing, unreadable or fails a check."""
