"""The screen of ``play``: in a terminal a page of its own, elsewhere one frame after another."""

import contextlib
from collections.abc import Callable, Generator
from typing import IO

OPEN, CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""Switch to the terminal's alternate screen without a cursor, and back."""

HOME, TO_END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
"""Go to the top left; clear the rest of a line; clear what is below."""


@contextlib.contextmanager
def play_screen(stream: IO[str], keys: str) -> Generator[Callable[[str], None]]:
    """A function that shows a frame; the last one stays when the terminal's page is left.

    Args:
        stream: where frames are written.
        keys: line that says which keys there are, shown in a terminal only.
    """
    if not stream.isatty():
        yield lambda frame: print(frame, file=stream)
        return
    last = ""

    def show(frame: str) -> None:
        nonlocal last
        last = frame.strip("\n")
        lines = [*last.split("\n"), "", keys]
        stream.write(HOME + "".join(f"{line}{TO_END_OF_LINE}\r\n" for line in lines) + BELOW)
        stream.flush()

    stream.write(OPEN)
    try:
        yield show
    finally:
        stream.write(CLOSE)
        print(last, file=stream)
