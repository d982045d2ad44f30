"""JSONL logs: one line per episode or step, in the format of ``proxylab.logs.live``.

Lines become NumPy columns in chunks, so a large log is never in memory as Python objects.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.state_hash import hash_of
from proxylab.logs.budget import Budget
from proxylab.logs.json_lines import are_numbers, are_vectors, next_line, record_of
from proxylab.logs.rows import (
    FLAGS,
    REQUIRED,
    VECTORS,
    Further,
    LogError,
    Rows,
    check_width,
    hashed_sizes,
)
from proxylab.logs.tables import read_table
from proxylab.rollouts.episodes import Episodes
from proxylab.storage.limits import LIMITS

CHUNK = 50_000
"""Number of steps held as Python objects at a time."""

NUMBERS = (*REQUIRED, "state_id", *FLAGS, "proxy_reward", *VECTORS)
"""Columns that become arrays; None where a line has no value."""

KINDS = dict.fromkeys((*REQUIRED, "state_id"), np.int64) | dict.fromkeys(FLAGS, np.bool_)


def read_lines(path: str | Path, budget: Budget, folder: str | Path) -> Iterator[Rows]:
    """Yield the :class:`Rows` of a JSONL file; ``LogError`` names the invalid line.

    Where the first line is a complete step, all lines are read as steps by DuckDB, which is
    many times faster. The arguments are those of ``tables.read_table``.
    """
    first = next((line for _, line in _lines(path, budget.source)), b"")
    if _is_whole_step(first):
        yield from read_table(path, budget, folder)
        return
    reader = _Reader(budget)
    for number, line in _lines(path, budget.source):
        reader.take(number, record_of(line, budget.source, number))
    yield reader.rows()


def _lines(path: str | Path, source: str) -> Iterator[tuple[int, bytes]]:
    """(number, line) of the lines that are not blank; ``LogError`` for one that is too long."""
    number = 1
    with open(path, "rb") as file:
        while line := next_line(file, source, number):
            if line.strip():
                yield number, line
            number += 1


def _is_whole_step(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(record, dict)
        and all(record.get(name) is not None for name in REQUIRED)
        and not isinstance(record["action"], list)
    )


class _Reader:
    """Collects lines into columns."""

    def __init__(self, budget: Budget) -> None:
        self.source, self.budget = budget.source, budget
        self.count, self.widths = 0, dict.fromkeys(VECTORS, 0)
        self.names, self.digests, self.facts = {}, {}, {}
        self.lists = {name: [] for name in ("policy", "line", *NUMBERS)}
        self.parts = {name: [] for name in self.lists}
        self.hashed = False
        self.episodes = 0
        self.key, self.step = None, -1

    def complain(self, number: int, message: str) -> NoReturn:
        raise LogError(f"{self.source}, line {number}: {message}")

    def take(self, number: int, record: Mapping[str, Any]) -> None:
        """Add the record of one line."""
        if "action" not in record:
            self.complain(number, "action is missing")
        if record.get("level_seed") is None:
            self.complain(number, "level_seed is missing")
        self._facts(number, record)
        if isinstance(record["action"], list):
            self._take_episode(number, record)
        else:
            self._take_step(number, record)
        if len(self.lists["action"]) >= CHUNK:
            self._flush()

    def _facts(self, number: int, record: Mapping[str, Any]) -> None:
        for name in ("task", "num_states", "num_actions"):
            value = record.get(name)
            if value is not None and not isinstance(value, str if name == "task" else int):
                kind = "text" if name == "task" else "whole number"
                self.complain(number, f"{name} {str(value)[:80]} is not a {kind}")
            if value is not None and self.facts.setdefault(name, value) != value:
                self.complain(
                    number,
                    f"{name} is {value}, before it was {self.facts[name]}: a log holds one {name}",
                )

    def _policy(self, number: int, record: Mapping[str, Any]) -> int:
        name = self._text(number, "policy", record.get("policy") or self.source)
        if record.get("policy_sha256"):
            self.digests[name] = self._text(number, "policy_sha256", record["policy_sha256"])
        if len(self.names) > LIMITS.log_policies:
            self.complain(number, f"more policies than the limit of {LIMITS.log_policies:,}")
        return self.names.setdefault(name, len(self.names))

    def _text(self, number: int, name: str, value: object) -> str:
        """A string or number as a string of limited length."""
        if not isinstance(value, str | int | float):
            self.complain(number, f"{name} is not a text")
        text = str(value)
        if len(text) > LIMITS.log_text_bytes:
            limit = f"over the limit of {LIMITS.log_text_bytes:,} bytes"
            self.complain(number, f"a {name} of {len(text):,} bytes is {limit}")
        return text

    def _take_episode(self, number: int, record: Mapping[str, Any]) -> None:
        count = len(record["action"])
        if not count:
            self.complain(number, "an episode has no steps")
        self.budget.check_rows(self.count + len(self.lists["action"]) + count)
        self.episodes += 1
        self.key = None
        same = {
            "policy": self._policy(number, record),
            "line": number,
            "episode": record.get("episode", self.episodes - 1),
            "level_seed": record["level_seed"],
        }
        for name, value in same.items():
            self.lists[name] += [value] * count
        self.lists["step"] += range(count)
        for name in FLAGS:
            self.lists[name] += [False] * (count - 1) + [record.get(name, False)]
        self.lists["action"] += record["action"]
        for name in ("state_id", "proxy_reward", *VECTORS):
            values = self._states(number, record) if name == "state_id" else record.get(name)
            values = [None] * count if values is None else values
            if not isinstance(values, list) or len(values) != count:
                self.complain(number, f"{name} is no list of {count} entries, one a step")
            self.lists[name] += values

    def _states(self, number: int, record: Mapping[str, Any]) -> Any:
        if record.get("state_id") is not None or record.get("observation_hash") is None:
            return record.get("state_id")
        self.hashed, hashes = True, record["observation_hash"]
        if isinstance(hashes, list):
            return [self._hash(number, text) for text in hashes]
        return self._hash(number, hashes)

    def _hash(self, number: int, text: object) -> int:
        return hash_of(self._text(number, "observation_hash", text).encode())

    def _take_step(self, number: int, record: Mapping[str, Any]) -> None:
        policy = self._policy(number, record)
        key = (policy, record.get("episode"), record["level_seed"])
        if key != self.key or record.get("step") == 0:
            self.episodes, self.step = self.episodes + 1, -1
        self.key, self.step = key, self.step + 1
        values = {
            **{name: record.get(name) for name in ("action", "proxy_reward", *VECTORS)},
            "policy": policy,
            "line": number,
            "episode": record.get("episode", self.episodes - 1),
            "level_seed": record["level_seed"],
            "step": record.get("step", self.step),
            "state_id": self._states(number, record),
            **{name: record.get(name, False) for name in FLAGS},
        }
        for name, value in values.items():
            self.lists[name].append(value)
        if values["terminated"] or values["truncated"]:
            self.key = None

    def _flush(self) -> None:
        """Convert the collected lists to arrays."""
        if not self.lists["action"]:
            return
        lines = self.lists["line"]
        self._check_size(len(lines))
        for name, values in self.lists.items():
            self.parts[name].append(self._array(name, values, lines))
        self.lists = {name: [] for name in self.lists}

    def _check_size(self, count: int) -> None:
        """Refuse more rows or numbers than the budget, before arrays are allocated."""
        self.count += count
        for name in VECTORS:
            lengths = (len(v) for v in self.lists[name] if isinstance(v, list))
            self.widths[name] = max(self.widths[name], max(lengths, default=0))
            check_width(self.source, name, self.widths[name])
        self.budget.check_rows(self.count)
        self.budget.check_cells(self.count, len(self.lists) + sum(self.widths.values()))

    def _array(self, name: str, values: list[Any], lines: list[int]) -> NDArray[Any]:
        if name in ("policy", "line"):
            return np.array(values, np.int32)
        if name in KINDS:
            return self._whole(name, values, lines)
        width = next((len(v) for v in values if isinstance(v, list)), 0) if name in VECTORS else 1
        present = [value for value in values if value is not None]
        fits = are_vectors(present) if present and name in VECTORS else are_numbers(present)
        if not fits:
            for line, value in zip(lines, values, strict=True):
                if value is not None and not _is_row(value, width, name in VECTORS):
                    self.complain(line, f"{name} is not {width} numbers a step")
        empty = [float("nan")] * width if name in VECTORS else float("nan")
        filled = [empty if v is None else v for v in values]
        try:
            return np.array(filled, np.float32).reshape(len(values), -1 if width else 0)
        except OverflowError:
            line = next(n for n, value in zip(lines, filled, strict=True) if _is_huge(value))
            self.complain(line, f"{name} is too large")

    def _whole(self, name: str, values: list[Any], lines: list[int]) -> NDArray[Any]:
        """int64 or bool; ``state_id`` may be absent everywhere."""
        if name == "state_id" and values.count(None) == len(values):
            return np.full(len(values), -1)
        wanted = (bool, int) if name in FLAGS else int
        kinds = set(map(type, values))
        if not kinds <= ({bool, int} if name in FLAGS else {int}):
            kind = "true or false" if name in FLAGS else "a whole number"
            for line, value in zip(lines, values, strict=True):
                if not isinstance(value, wanted) or (name not in FLAGS and isinstance(value, bool)):
                    problem = "is missing" if value is None else f"{value!r} is not {kind}"
                    self.complain(line, f"{name} {problem}")
        try:
            return np.array(values, KINDS[name])
        except OverflowError:
            line = next(n for n, v in zip(lines, values, strict=True) if abs(v) >= 1 << 63)
            self.complain(line, f"{name} is too large")

    def rows(self) -> Rows:
        """:class:`Rows` of all lines."""
        self._flush()
        if not self.parts["action"]:
            raise LogError(f"{self.source} holds no episodes")
        columns = {name: self._joined(name) for name in self.parts}
        line = columns.pop("line")
        rows = Rows(
            self.source,
            lambda row: f"line {line[row]}",
            list(self.names),
            columns.pop("policy"),
            {},
        )
        rows.columns = {name: array for name, array in columns.items() if array.shape[-1]}
        rows.columns["proxy_reward"] = columns["proxy_reward"].reshape(-1)
        rows.digests, rows.task = self.digests, self.facts.get("task")
        rows.sizes = {n: self.facts[n] for n in ("num_states", "num_actions") if n in self.facts}
        if self.hashed:
            hashed_sizes(rows)
        return rows

    def _joined(self, name: str) -> NDArray[Any]:
        """The chunks as one array; their memory is released."""
        chunks, self.parts[name] = self.parts[name], []
        width = max(chunk.shape[-1] for chunk in chunks) if name in VECTORS else None
        if width:
            nan = np.float32("nan")
            chunks = [c if c.shape[-1] else np.full((len(c), width), nan) for c in chunks]
            if {chunk.shape[-1] for chunk in chunks} != {width}:
                raise LogError(f"{self.source}: {name} has rows of different lengths")
        return np.concatenate(chunks)


def _is_huge(value: Any) -> bool:
    try:
        np.array(value, np.float32)
    except OverflowError:
        return True
    return False


def _is_row(value: Any, width: int, is_vector: bool) -> bool:
    entries = value if isinstance(value, list) else [value]
    fits = isinstance(value, list) and len(value) == width if is_vector else True
    return fits and are_numbers(entries)


def write_lines(
    path: str | Path, policies: Sequence[Episodes], _kind: str, further: Further
) -> None:
    """Write Episodes as JSONL, one line per episode; ``proxylab monitor`` reads it too."""
    with open(path, "w", encoding="utf-8") as file:
        for episodes in policies:
            own = further.get(episodes.policy, {})
            for number in range(episodes.num_episodes):
                line = _line(episodes, number, own)
                file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _line(episodes: Episodes, number: int, further: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    start, stop = episodes.episode_offsets[number : number + 2]
    record = {
        "task": episodes.task,
        "policy": episodes.policy,
        "policy_sha256": getattr(episodes, "sha256", ""),
        "num_states": episodes.num_states,
        "num_actions": episodes.num_actions,
        "episode": number,
        "level_seed": int(episodes.level_seed[number]),
        "terminated": bool(episodes.terminated[number]),
        "truncated": bool(episodes.truncated[number]),
        "state_id": episodes.state_id[start:stop].tolist(),
        "action": episodes.action[start:stop].tolist(),
    }
    for name in ("proxy_reward", *VECTORS):
        values = getattr(episodes, name)
        if values is not None and values.shape[-1]:
            record[name] = _short(values[start:stop])
    for name, column in further.items():
        values = column[start:stop].tolist()
        record[name] = [None if value != value else value for value in values]  # NaN
    return record


def _short(values: NDArray[np.float32]) -> list[Any]:
    """Floats rounded to nine digits, which reproduce the same float32."""
    if values.ndim > 1:
        return [_short(row) for row in values]
    return [float(f"{value:.9g}") for value in values.tolist()]
