"""A person's answers: given one by one, undone, and written to the file after each."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from proxylab.errors import UsageError
from proxylab.rewards.preferences import (
    PreferencesError,
    read_preferences,
    write_preferences,
)
from proxylab.rewards.questions import Questions
from proxylab.rewards.raters import ANSWERS

PERSON = "person"
"""Name of the rater by default."""

MAX_NAME = 80
"""Characters of a rater's name."""


class Rating:
    """The answers to a list of questions, in a preferences file.

    The file holds the answers to the first questions and is replaced atomically after each, so
    that a killed process loses nothing. An existing file of the same questions is continued.
    """

    def __init__(
        self,
        questions: Questions,
        file: str | Path,
        rater: str = PERSON,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin, or continue the answers in ``file``.

        Args:
            questions: what is asked, in this order.
            file: the preferences file, ``.parquet``.
            rater: name of the person.
            clock: function () -> seconds since 1970.

        Raises:
            UsageError: the file cannot be read or written, or answers other questions.
        """
        if not rater.strip() or len(rater) > MAX_NAME or not rater.isprintable():
            raise UsageError(f"the name of a rater has 1 to {MAX_NAME} printable characters")
        self.questions, self.rater, self.clock = questions, rater, clock
        self.file = writable_file(file)
        self._lock = threading.Lock()
        self._rows: list[tuple[str, str, float]] = []
        self._stamp: tuple[int, int] | None = None
        if self.file.exists():
            self._continue()

    def _continue(self) -> None:
        """Take over the answers in the file."""
        stamp = _stamp(self.file)
        kept = read_preferences(self.file)
        clips = self.questions.clips
        if kept.clips.task != clips.task:
            raise PreferencesError(f"{self.file}: its task is {kept.clips.task}, not {clips.task}")
        if len(kept) > len(self.questions):
            raise UsageError(f"{self.file} holds {len(kept)} answers: ask for more --pairs")
        if not self.questions.are_those_of(kept):
            raise UsageError(
                f"{self.file} answers other questions: continue it with the options (--from, "
                "--seed, --levels, --length, --clips) that it was begun with"
            )
        columns = (kept.answer.tolist(), kept.rater.tolist(), kept.time.tolist())
        self._rows, self._stamp = list(zip(*columns, strict=True)), stamp

    def __len__(self) -> int:
        """Number of answers."""
        return len(self._rows)

    @property
    def last(self) -> str | None:
        """The latest answer."""
        rows = self._rows
        return rows[-1][0] if rows else None

    def answer(self, number: int, answer: str) -> None:
        """Answer question ``number``, which must be the next one.

        Raises:
            UsageError: it is not, or another program has changed the file.
        """
        with self._lock:
            if number != len(self._rows) or number >= len(self.questions):
                raise UsageError(f"question {number + 1} is not the next one: reload the page")
            if answer not in ANSWERS:
                raise UsageError(f"an answer is one of {', '.join(ANSWERS)}")
            self._write([*self._rows, (answer, self.rater, self.clock())])

    def undo(self, number: int) -> None:
        """Take back the latest answer, the one to question ``number``.

        Raises:
            UsageError: it is not the latest, or another program has changed the file.
        """
        with self._lock:
            if not self._rows:
                raise UsageError("there is no answer to undo")
            if number != len(self._rows) - 1:
                raise UsageError(f"question {number + 1} is not the latest: reload the page")
            self._write(self._rows[:-1])

    def _write(self, rows: list[tuple[str, str, float]]) -> None:
        """Replace the file, then the rows; a file without answers is removed."""
        if self.file.exists() and _stamp(self.file) != self._stamp:
            raise UsageError(f"{self.file} was changed by another program: start again")
        if rows:
            answers, raters, times = zip(*rows, strict=True)
            write_preferences(self.questions.preferences(answers, raters, times), self.file)
            self._stamp = _stamp(self.file)
        else:
            self.file.unlink(missing_ok=True)
        self._rows = rows


def writable_file(file: str | Path) -> Path:
    """``file`` as a path, checked before anybody answers.

    Raises:
        UsageError: the name does not end in ``.parquet``, or its folder cannot be written.
    """
    path = Path(file)
    if path.suffix != ".parquet":
        raise UsageError(f"{path}: the name of a preferences file ends in .parquet")
    folder = next(p for p in path.absolute().parents if p.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: its folder cannot be written")
    return path


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file is replaced: (inode, time of the last change)."""
    state = path.stat()
    return state.st_ino, state.st_mtime_ns
