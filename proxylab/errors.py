"""Errors that the caller can fix: one line with the problem and the remedy."""

import difflib
import errno
import os
from collections.abc import Iterable
from importlib import util
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


def choices(name: object, known: Iterable[str], more: str = "") -> str:
    """The end of a message about an unknown name: the most similar known one, or all of them.

    Args:
        name: what was written.
        known: the names to choose from.
        more: what else may be written, after the last name.
    """
    known = list(known)
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"choose {', '.join(known)}{more}"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most similar to ``name``; None where none is similar."""
    return next(iter(difflib.get_close_matches(str(name)[:100], list(known), 1)), None)


def require_extra(module: str, extra: str) -> None:
    """``UsageError`` with the command that installs an extra, where its module is missing."""
    if util.find_spec(module) is None:
        raise UsageError(f'{module} is not installed: pip install "proxylab[{extra}]"')
