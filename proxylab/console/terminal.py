"""Output to a terminal: control characters in untrusted strings are escaped.

Names in files may hold escape sequences, bells, carriage returns, marks that reverse the
reading direction, line separators or lone surrogates. :func:`visible` is the one function
that escapes them; :func:`safe_streams` and ``console.SafeConsole`` apply it where text leaves
the program, so strings need no cleaning where they are created.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterable
from typing import Any, TextIO

KEPT = frozenset("\n\t")
"""Control characters that are not escaped."""


def visible(text: str, kept: frozenset[str] = KEPT) -> str:
    r"""The text with every character escaped that a terminal interprets or hides.

    These are the Unicode categories control, format (bidirectional marks, zero-width signs),
    surrogate, private use and unassigned, and line and paragraph separators: ESC becomes
    ``\x1b``, U+202E becomes ``\u202e``. Spaces of all widths are unchanged.

    Args:
        text: any string.
        kept: characters that are never escaped.
    """
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) or c in kept else _escape(c) for c in text)


def _harmless(character: str) -> bool:
    spaces = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f"
    return character.isprintable() or character in spaces + "\u205f\u3000"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def one_line(text: object, most: int = 300) -> str:
    """A message as one visible line of at most ``most`` characters."""
    line = visible(" ".join(str(text).split()), frozenset())
    return line if len(line) <= most else line[: most - 1] + "…"


class SafeStream:
    """A text stream that escapes control characters and writes to another stream.

    Rich finds the other stream through ``rich_proxied_file`` and writes colours and cursor
    movements there; ``console.SafeConsole`` escapes its strings.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write a text, escaped; returns the number of its characters."""
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Delegate all other attributes to the stream."""
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def safe_streams() -> Generator[None]:
    """Wrap stdout and stderr in a :class:`SafeStream` each."""
    before = sys.stdout, sys.stderr
    safe = SafeStream(sys.stdout), SafeStream(sys.stderr)
    sys.stdout, sys.stderr = safe
    try:
        yield
    finally:
        if (sys.stdout, sys.stderr) == safe:
            sys.stdout, sys.stderr = before


@contextlib.contextmanager
def any_encoding() -> Generator[None]:
    """Make stdout and stderr escape characters that their encoding lacks.

    Nothing that is printed can fail with ``UnicodeEncodeError``, lone surrogates included.
    """
    streams: list[Any] = [s for s in (sys.stdout, sys.stderr) if hasattr(s, "reconfigure")]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with contextlib.suppress(ValueError, OSError):  # closed, or its disk is full
                stream.reconfigure(errors=errors)


def open_standard_streams() -> None:
    """Open the null device for each of stdin, stdout and stderr that is closed.

    Otherwise the next opened file would get the descriptor of stdout, and output would be
    written to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        handle = os.open(os.devnull, os.O_RDWR)
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (stays open)
