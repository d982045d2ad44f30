"""JSONL logs: a line an episode or a step, the lines of ``proxylab.logs.live``.

Lines become numpy columns in chunks, so a large log is never in memory as Python objects.
"""

import json

import numpy as np

from proxylab.environments.state_hash import hash_of
from proxylab.logs.rows import (
    FLAGS,
    REQUIRED,
    VECTORS,
    LogError,
    Rows,
    hashed_sizes,
)
from proxylab.logs.tables import read_table
from proxylab.storage.limits import LIMITS

CHUNK = 50_000
"""Steps kept as Python objects at a time."""

NUMBERS = (*REQUIRED, "state_id", *FLAGS, "proxy_reward", *VECTORS)
"""Columns that become arrays; None stands where a line says nothing."""

KINDS = dict.fromkeys((*REQUIRED, "state_id"), np.int64) | dict.fromkeys(FLAGS, np.bool_)


def read_lines(path):
    """:class:`Rows` of a JSONL file; ``LogError`` with the line that is wrong.

    Where the first line is a step with all that a step must have, all lines are taken for
    such rows, which is many times faster.
    """
    first = next((line for _, line in _lines(path)), b"")
    if _is_whole_step(first):
        return read_table(path)
    reader = _Reader(str(path))
    for number, line in _lines(path):
        reader.take(number, _record(path, number, line))
    return reader.rows()


def _lines(path):
    """(number, line) of the lines that are not blank; ``LogError`` at one that is too long."""
    limit = LIMITS.log_line_bytes
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
            if len(line) > limit:
                raise LogError(f"{path}, line {number}: longer than the limit of {limit:,} bytes")
            if line.strip():
                yield number, line


def _is_whole_step(line):
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(record, dict)
        and all(record.get(name) is not None for name in REQUIRED)
        and not isinstance(record["action"], list)
    )


def _record(path, number, line):
    try:
        record = json.loads(line, parse_constant=_refuse)
    except RecursionError:
        raise LogError(f"{path}, line {number}: it is nested too deeply") from None
    except ValueError as error:
        what = str(error) if "NaN" in str(error) else "this is not a JSON object"
        raise LogError(f"{path}, line {number}: {what}") from None
    if not isinstance(record, dict):
        raise LogError(f"{path}, line {number}: this is not a JSON object")
    return record


def _refuse(constant):
    raise ValueError(f"{constant} where a number must stand (NaN and infinity are none)")


class _Reader:
    """Lines in, columns out."""

    def __init__(self, source):
        self.source = source
        self.names, self.digests, self.facts = {}, {}, {}
        self.lists = {name: [] for name in ("policy", "line", *NUMBERS)}
        self.parts = {name: [] for name in self.lists}
        self.hashed = False
        self.episodes = 0
        self.key, self.step = None, -1

    def complain(self, number, message):
        raise LogError(f"{self.source}, line {number}: {message}")

    def take(self, number, record):
        """One line."""
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

    def _facts(self, number, record):
        for name in ("task", "num_states", "num_actions"):
            value = record.get(name)
            if value is not None and self.facts.setdefault(name, value) != value:
                self.complain(
                    number,
                    f"{name} is {value}, before it was {self.facts[name]}: a log holds one {name}",
                )

    def _policy(self, record):
        name = str(record.get("policy") or self.source)
        if record.get("policy_sha256"):
            self.digests[name] = str(record["policy_sha256"])
        return self.names.setdefault(name, len(self.names))

    def _take_episode(self, number, record):
        count = len(record["action"])
        if not count:
            self.complain(number, "an episode has no steps")
        self.episodes += 1
        self.key = None
        same = {
            "policy": self._policy(record),
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
            values = self._states(record) if name == "state_id" else record.get(name)
            values = [None] * count if values is None else values
            if not isinstance(values, list) or len(values) != count:
                self.complain(number, f"{name} is no list of {count} entries, one a step")
            self.lists[name] += values

    def _states(self, record):
        if record.get("state_id") is not None or record.get("observation_hash") is None:
            return record.get("state_id")
        self.hashed, given = True, record["observation_hash"]
        if isinstance(given, list):
            return [hash_of(str(text).encode()) for text in given]
        return hash_of(str(given).encode())

    def _take_step(self, number, record):
        policy = self._policy(record)
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
            "state_id": self._states(record),
            **{name: record.get(name, False) for name in FLAGS},
        }
        for name, value in values.items():
            self.lists[name].append(value)
        if values["terminated"] or values["truncated"]:
            self.key = None

    def _flush(self):
        """The lists into arrays."""
        if not self.lists["action"]:
            return
        lines = self.lists["line"]
        for name, values in self.lists.items():
            self.parts[name].append(self._array(name, values, lines))
        self.lists = {name: [] for name in self.lists}

    def _array(self, name, values, lines):
        if name in ("policy", "line"):
            return np.array(values, np.int32)
        if name in KINDS:
            return self._whole(name, values, lines)
        width = next((len(v) for v in values if isinstance(v, list)), 0) if name in VECTORS else 1
        empty = [float("nan")] * width if name in VECTORS else float("nan")
        filled = [empty if v is None else v for v in values]
        try:
            return np.array(filled, np.float32).reshape(len(values), -1 if width else 0)
        except (ValueError, TypeError):
            for line, value in zip(lines, filled, strict=True):
                if not _is_row(value, width, name in VECTORS):
                    self.complain(line, f"{name} is not {width} numbers a step")
            raise

    def _whole(self, name, values, lines):
        """int64 or bool; ``state_id`` may be absent everywhere."""
        if name == "state_id" and values.count(None) == len(values):
            return np.full(len(values), -1)
        wanted = (bool, int) if name in FLAGS else int
        kinds = set(map(type, values))
        if not kinds <= ({bool, int} if name in FLAGS else {int}):
            kind = "true or false" if name in FLAGS else "a whole number"
            for line, value in zip(lines, values, strict=True):
                if not isinstance(value, wanted) or (name not in FLAGS and isinstance(value, bool)):
                    said = "is missing" if value is None else f"{value!r} is not {kind}"
                    self.complain(line, f"{name} {said}")
        try:
            return np.array(values, KINDS[name])
        except OverflowError:
            line = next(n for n, v in zip(lines, values, strict=True) if abs(v) >= 1 << 63)
            self.complain(line, f"{name} is too large")

    def rows(self):
        """:class:`Rows` of all lines."""
        self._flush()
        if not self.parts["action"]:
            raise LogError(f"{self.source} holds no episodes")
        found = {name: self._joined(name) for name in self.parts}
        line = found.pop("line")
        rows = Rows(
            self.source, lambda row: f"line {line[row]}", list(self.names), found.pop("policy"), {}
        )
        rows.columns = {name: array for name, array in found.items() if array.shape[-1]}
        rows.columns["proxy_reward"] = found["proxy_reward"].reshape(-1)
        rows.digests, rows.task = self.digests, self.facts.get("task")
        rows.sizes = {n: self._size(n) for n in ("num_states", "num_actions") if n in self.facts}
        if self.hashed:
            hashed_sizes(rows)
        return rows

    def _size(self, name):
        if not isinstance(self.facts[name], int):
            raise LogError(f"{self.source}: {name} {self.facts[name]!r} is not a whole number")
        return self.facts[name]

    def _joined(self, name):
        """The chunks as one array; they are let go at once."""
        chunks, self.parts[name] = self.parts[name], []
        width = max(chunk.shape[-1] for chunk in chunks) if name in VECTORS else None
        if width:
            nan = np.float32("nan")
            chunks = [c if c.shape[-1] else np.full((len(c), width), nan) for c in chunks]
            if {chunk.shape[-1] for chunk in chunks} != {width}:
                raise LogError(f"{self.source}: {name} has rows of different lengths")
        return np.concatenate(chunks)


def _is_row(value, width, is_vector):
    entries = value if isinstance(value, list) else [value]
    fits = isinstance(value, list) and len(value) == width if is_vector else True
    return fits and all(isinstance(entry, int | float) for entry in entries)


def write_lines(path, policies, _kind):
    """Write Episodes as JSONL, a line an episode; ``proxylab monitor`` reads it too."""
    with open(path, "w", encoding="utf-8") as file:
        for episodes in policies:
            for number in range(episodes.num_episodes):
                file.write(json.dumps(_line(episodes, number), separators=(",", ":")) + "\n")


def _line(episodes, number):
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
    return record


def _short(values):
    """Floats with the nine digits that give back the same float32."""
    if values.ndim > 1:
        return [_short(row) for row in values]
    return [float(f"{value:.9g}") for value in values.tolist()]
