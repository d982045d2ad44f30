"""Reader of a growing rollout log: lines of JSON or CSV in, complete episodes out.

A line of JSON is an episode or a step, one of a CSV a step. The columns have the names of
:class:`~proxylab.rollouts.episodes.Episodes`: in an episode's line ``state_id``, ``action``,
``features``, ``probabilities``, ``proxy_reward`` are lists with one entry per step, in a
step's line single values. Both have a ``level_seed``. An episode of single steps ends
with the step that sets ``terminated`` or ``truncated``, or before a step with another
``episode``. Other names, which a detector must not see, are not read.
"""

import csv
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.logs.json_lines import are_numbers, are_vectors, next_line, record_of
from proxylab.logs.rows import FLAGS, TEXTS
from proxylab.rollouts.episodes import NO_STATE, STEP_FIELDS, Episodes
from proxylab.storage.limits import LIMITS, MIB, regular_file

POLL_SECONDS = 0.5
"""Interval between reads of a followed log."""


NUMBERED = re.compile(r"(features|probabilities)_\d{1,4}")
"""Columns of a CSV that are entries of a vector, in the order of the file."""

READ_AT_ONCE = MIB
"""Bytes after which one read ends, so that a large log is never fully in memory."""

STEP_NUMBERS = 16
"""Count added for each step, beside its numbers."""


class Tail:
    """The complete lines appended to a file since the last read.

    Attributes:
        path: of the file.
        number: lines read so far.
        more: whether the last read stopped before the end of the file.
    """

    def __init__(self, path: str | Path) -> None:
        """Begin at the start of ``path``."""
        self.path = path
        self.number = 0
        self.more = False
        self._position = 0

    def records(self, at_end: bool = False) -> list[tuple[int, dict[str, Any]]]:
        """[(line number, dict)]; an unterminated last line is returned only with ``at_end``.

        Raises:
            UsageError: the file cannot be read, has become shorter, or a line is no JSON object
                or over the limit.
        """
        try:
            with open(regular_file(self.path), "rb") as file:
                if file.seek(0, 2) < self._position:
                    raise UsageError(f"{self.path} has become shorter: start the monitor again")
                file.seek(self._position)
                return list(self._lines(file, at_end))
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from None

    def _record(self, line: bytes) -> dict[str, Any] | None:
        """The record of a line; None for a line without one."""
        return record_of(line, self.path, self.number)

    def _lines(self, file: IO[bytes], at_end: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        until = self._position + READ_AT_ONCE
        while self._position < until:
            line = next_line(file, self.path, self.number + 1)
            if not line or not (at_end or line.endswith(b"\n")):
                self.more = False
                return
            self._position += len(line)
            self.number += 1
            record = self._record(line) if line.strip() else None
            if record is not None:
                yield self.number, record
        self.more = True


class CsvTail(Tail):
    """The same of a CSV file, whose first line names the columns."""

    _names: list[str] | None = None

    def _record(self, line: bytes) -> dict[str, Any] | None:
        try:
            values = next(csv.reader([line.decode("utf-8-sig")]))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(
                f"{self.path}, line {self.number}: no line of a CSV: {error}"
            ) from None
        if self._names is None:
            if not values or len(set(values)) < len(values):
                raise UsageError(f"{self.path}: the first line must name each column once")
            self._names = values
            return None
        if len(values) != len(self._names):
            counts = f"{len(values)} values, but {len(self._names)} columns"
            raise UsageError(f"{self.path}, line {self.number}: {counts}")
        return _typed_record(dict(zip(self._names, values, strict=True)))


def _typed_record(values: Mapping[str, str]) -> dict[str, Any]:
    """Numbers and flags of the texts of a CSV line; numbered columns as lists."""
    record: dict[str, Any] = {}
    for name, text in values.items():
        vector = NUMBERED.fullmatch(name)
        if not text:
            continue
        if vector:
            record.setdefault(vector[1], []).append(_number(text))
        elif name in FLAGS:
            record[name] = text.lower() in ("true", "1", "t")
        else:
            record[name] = text if name in TEXTS else _number(text)
    return record


def _number(text: str) -> int | float | str:
    """A whole number or a finite float; the text itself where it is none, for the complaint."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if math.isfinite(value):
            return value
    return text


def tail_of(path: str | Path) -> Tail:
    """The :class:`Tail` for a file's ending: lines of a CSV, or of JSON."""
    return CsvTail(path) if Path(path).suffix.lower() == ".csv" else Tail(path)


class EpisodeReader:
    """Builds the Episodes of one policy from records.

    Attributes:
        facts: task, policy, num_states and num_actions of the Episodes made.
    """

    def __init__(self, source: str | Path, **facts: Any) -> None:
        """Use ``source`` in messages; ``facts`` is the attribute."""
        self.source = source
        self.facts = facts
        self._steps, self._key, self._numbers = [], None, 0

    def take(
        self, records: Sequence[tuple[int, dict[str, Any]]], at_end: bool = False
    ) -> list[Episodes]:
        """The episodes that ``records`` ([(line number, dict)]) complete: list[Episodes]."""
        episodes = []
        for number, record in records:
            try:
                episodes += self._take(record)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
                raise UsageError(f"{self.source}, line {number}: {what}") from None
        return episodes + (self._close() if at_end else [])

    def _take(self, record: Mapping[str, Any]) -> list[Episodes]:
        if "action" not in record:
            return []
        if isinstance(record["action"], list):
            return [*self._close(), self._episode(record)]
        key = (record.get("episode"), record["level_seed"])
        episodes = self._close() if self._steps and key != self._key else []
        self._key = key
        self._steps.append(self._kept(record))
        if record.get("terminated") or record.get("truncated"):
            episodes += self._close()
        return episodes

    def _kept(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a step that an episode needs; ``ValueError`` over the limit."""
        for name in STEP_FIELDS:
            value = record.get(name)
            if value is not None and not (are_numbers([value]) or are_vectors([value])):
                raise ValueError(f"{name} is not a number or a list of numbers")
            self._numbers += len(value) if isinstance(value, list) else 1
        self._numbers += STEP_NUMBERS
        if self._numbers > LIMITS.log_episode_numbers:
            raise ValueError(f"the episode is over the limit of {LIMITS.log_episode_numbers:,}")
        names = (*STEP_FIELDS, "terminated", "truncated", "level_seed")
        return {name: record[name] for name in names if name in record}

    def _close(self) -> list[Episodes]:
        """The episode of the collected steps, if there are any."""
        steps, self._steps, self._numbers = self._steps, [], 0
        if not steps:
            return []
        columns = {n: [s[n] for s in steps] for n in STEP_FIELDS if n in steps[0]}
        ends = {name: steps[-1].get(name, False) for name in ("terminated", "truncated")}
        return [self._episode({**columns, **ends, "level_seed": steps[-1]["level_seed"]})]

    def _episode(self, record: Mapping[str, Any]) -> Episodes:
        """One validated episode."""
        count = len(record["action"])
        if not count:
            raise ValueError("an episode has no steps")
        arrays = {n: _array(n, record[n]) for n in STEP_FIELDS if record.get(n) is not None}
        columns: dict[str, Any] = dict.fromkeys(STEP_FIELDS)
        columns["state_id"] = np.full(count, NO_STATE)
        columns["features"] = np.zeros((count, 0), np.float32)
        columns |= arrays
        columns |= self.facts
        return Episodes(
            **columns,
            episode_offsets=np.array([0, count]),
            level_seed=np.array([int(record["level_seed"])]),
            terminated=np.array([bool(record.get("terminated"))]),
            truncated=np.array([bool(record.get("truncated"))]),
        )


def _array(name: str, values: Any) -> NDArray[Any]:
    """An array of a list of numbers or vectors; ``ValueError`` for anything else."""
    if not isinstance(values, list) or not (are_numbers(values) or are_vectors(values)):
        raise ValueError(f"{name} is not a list of numbers, or its rows differ in length")
    return np.array(values)


def first_fact(path: str | Path, name: str) -> Any:
    """The value of ``name`` (such as ``task``) in the first line that has it, or None."""
    tail = tail_of(path)
    while True:
        for _, record in tail.records(at_end=True):
            if name in record:
                return record[name]
        if not tail.more:
            return None


def episodes_of(
    tail: Tail,
    reader: EpisodeReader,
    follow: bool = False,
    sleep: Callable[[float], Any] = time.sleep,
) -> Iterator[list[Episodes]]:
    """Yield lists of Episodes as they complete; stops at the end of the file unless ``follow``."""
    while True:
        records = tail.records(at_end=not follow)
        episodes = reader.take(records, at_end=not (follow or tail.more))
        if episodes:
            yield episodes
        if tail.more:
            continue
        if not follow:
            return
        if not episodes:
            sleep(POLL_SECONDS)
