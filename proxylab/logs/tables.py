"""Logs with one row per step, read by DuckDB by column: ten million rows fit in 1 GiB.

The formats are Parquet, CSV, and JSONL whose lines are complete steps.

Rows are first staged in a typed table, which spills to disk where it is large; a value that
does not fit its column's type becomes NULL there and is looked up in the file for the error
message.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from proxylab.environments.state_hash import hash_of
from proxylab.logs.budget import Budget
from proxylab.logs.rows import (
    FLAGS,
    INTEGERS,
    REQUIRED,
    VECTORS,
    Further,
    LogError,
    Rows,
    hashed_sizes,
)
from proxylab.logs.scan import Source, Survey, opened, survey, text
from proxylab.rollouts.episodes import Episodes
from proxylab.storage.limits import LIMITS, MIB
from proxylab.storage.store import open_database

if TYPE_CHECKING:
    import duckdb

HASHED_AT_ONCE = 16 * MIB
"""Bytes of strings hashed at a time."""

OBJECT_BYTES = 64
"""Overhead of a Python string, in bytes."""

NAMES = ("policy", "policy_sha256", "task")
"""String columns with few distinct values, which are queried once."""


def read_table(path: str | Path, budget: Budget, folder: str | Path) -> Iterator[Rows]:
    """Yield the :class:`Rows` of a Parquet, CSV or JSONL file; ``LogError`` where it is invalid.

    They are one piece, or, of a large log, pieces of whole episodes.

    Args:
        path: of the file.
        budget: :class:`~proxylab.logs.budget.Budget` of it.
        folder: for temporary files.
    """
    with opened(path, budget, folder) as source:
        missing = [name for name in REQUIRED if name not in source.columns]
        if missing:
            raise LogError(f"{source.path}: the column {missing[0]} is missing")
        seen = survey(source)
        missing = [name for name in REQUIRED if name not in source.columns]
        if missing and seen.count:
            raise LogError(f"{source.path}: the column {missing[0]} is missing")
        if not seen.count:
            raise LogError(f"{source.path} holds no rows")
        yield from _Staged(source, seen).slices()


class _Staged:
    """The file's rows in a typed table."""

    def __init__(self, source: Source, seen: Survey) -> None:
        """Read the distinct names, create the table, and refuse the first invalid value."""
        self.source, self.seen = source, seen
        self.names = _distinct_names(source)
        parts = [f"{_typed(n, source.columns[n])} as {n}" for n in INTEGERS if n in source.columns]
        parts += [f"{_flag(source, n)} as {n}" for n in FLAGS if n in source.columns]
        parts += (
            ["enum_code(policy::varchar::policies) as policy"] if "policy" in source.columns else []
        )
        if self.hashed:
            parts.append("observation_hash::varchar as observation_hash")
        self.floats = _floats(source, seen)
        parts += [f"try_cast({sql} as float) as {name}" for name, sql in self.floats.items()]
        source.run(f"create table staged as select {', '.join(parts)} from {source.scan}")
        kinds = dict.fromkeys(FLAGS, "true or false") | dict.fromkeys(INTEGERS, "a whole number")
        for name, wanted in kinds.items():
            if name in source.columns:
                _refuse_empty(source, name, wanted)
        self._refuse_texts()

    @property
    def hashed(self) -> bool:
        """Whether states are hashes of strings."""
        columns = self.source.columns
        return "observation_hash" in columns and "state_id" not in columns

    def _refuse_texts(self) -> None:
        """Refuse the first value of a float column that is not a number; NULL is allowed."""
        source = self.source
        for name, sql in self.floats.items():
            if not source.ask(f"select count(*) from staged where {name} is null")[0][0]:
                continue
            row = source.first_row(f"{sql} is not null and try_cast({sql} as float) is null")
            if row is not None:
                shown = source.ask(f"select {sql} from {source.scan} limit 1 offset {row}")[0][0]
                source.complain(row, f"{name} {str(shown)[:80]} is not a number")

    def slices(self) -> Iterator[Rows]:
        """:class:`Rows` of the staged table: of all rows, or of whole episodes at a time."""
        source, count = self.source, self.seen.count
        if self.hashed:
            _refuse_empty(source, "observation_hash", "a text")
        self.place, self.policies = self._policies()
        self.task, self.digests = self._task(), self._digests()
        sizes = {n: _constant(source, n) for n in ("num_states", "num_actions")}
        self.sizes = {name: value for name, value in sizes.items() if value is not None}
        self.types = {n: self._integer_type(n) for n in (*REQUIRED, "state_id")}
        start = 0
        while start < count:
            stop = min(start + source.budget.slice_rows, count)
            rows = self._rows(range(start, stop))
            whole = stop - start if stop == count else _last_start(rows)
            if not whole:
                source.complain(start, "the episode that begins here is too long for a large log")
            yield rows.first(whole)
            start += whole

    def _rows(self, rows: range) -> Rows:
        """:class:`Rows` of some rows of the staged table."""
        source = self.source
        columns = {name: self._column(name, self.types[name], rows) for name in REQUIRED}
        columns |= {n: self._column(n, bool, rows) for n in FLAGS if n in source.columns}
        if "proxy_reward" in self.floats:
            columns["proxy_reward"] = self._column("proxy_reward", np.float32, rows)
        for name, entries in self.seen.vectors.items():
            if entries:
                columns[name] = self._matrix(name, len(entries), rows)
        read = Rows(source.path, self._place_after(rows), self.policies, self._codes(rows), columns)
        read.task, read.digests, read.sizes = self.task, self.digests, dict(self.sizes)
        if "state_id" in source.columns:
            columns["state_id"] = self._column("state_id", self.types["state_id"], rows)
        elif self.hashed:
            columns["state_id"] = self._hashes(rows)
            hashed_sizes(read)
        return read

    def _place_after(self, rows: range) -> Callable[[int], str]:
        return lambda row: self.source.place(rows.start + row)

    def _matrix(self, name: str, width: int, rows: range) -> NDArray[np.float32]:
        """float32[T, width], filled a column at a time."""
        matrix = np.empty((len(rows), width), np.float32)
        for k in range(width):
            matrix[:, k] = self._column(f"{name}_{k}", np.float32, rows)
        return matrix

    def _integer_type(self, name: str) -> type[np.generic]:
        """int32 where all values fit, to halve the memory; else int64."""
        if name not in self.source.columns:
            return np.int64
        low, high = self.source.ask(f"select min({name}), max({name}) from staged")[0]
        return np.int32 if low >= -(1 << 31) and high < 1 << 31 else np.int64

    def _column(self, name: str, dtype: DTypeLike, rows: range) -> NDArray[Any]:
        return self.source.column(name, dtype, rows)

    def _codes(self, rows: range) -> NDArray[np.int32]:
        """int32[T], index of each row's policy."""
        if len(self.policies) == 1:
            return np.zeros(len(rows), np.int32)
        return self.place[self._column("policy", np.int32, rows)]

    def _policies(self) -> tuple[NDArray[np.int32], list[str]]:
        """(int32[codes] index into names of each code, names in the order of their first rows)."""
        source = self.source
        if "policy" not in source.columns:
            return np.zeros(1, np.int32), [source.path]
        codes = source.ask("select policy, min(rowid) from staged group by policy order by 2")
        if any(code is None for code, _ in codes):
            source.complain(next(r for code, r in codes if code is None), "policy is missing")
        listed = [row[0] for row in source.ask("select unnest(enum_range(null::policies))")]
        place = np.zeros(len(listed), np.int32)
        place[[code for code, _ in codes]] = np.arange(len(codes))
        return place, [listed[code] for code, _ in codes]

    def _task(self) -> str | None:
        """The one task, or None where there is no such column."""
        tasks = {row[2] for row in self.names}
        if len(tasks) > 1:
            source = self.source
            query = f"select task::varchar t, row_number() over () - 1 as n from {source.scan}"
            values = source.ask(f"select t, min(n) from ({query}) group by t order by 2 limit 2")
            _differs(source, "task", values)
        return next(iter(tasks), None)

    def _digests(self) -> dict[str, str]:
        if not {"policy", "policy_sha256"} <= self.source.columns.keys():
            return {}
        pairs = {row[:2] for row in self.names}
        if len({policy for policy, _ in pairs}) < len(pairs):
            raise LogError(f"{self.source.path}: one policy has two policy_sha256")
        return {policy: digest for policy, digest in pairs if digest}

    def _hashes(self, rows: range) -> NDArray[np.int64]:
        """int64[T]: the hash of each ``observation_hash``, a few rows at a time."""
        source, hashes = self.source, np.empty(len(rows), np.int64)
        step = max(1, HASHED_AT_ONCE // (self.seen.longest_hash + OBJECT_BYTES))
        for start, texts in source.pieces("observation_hash", rows, step):
            hash_by_text = {text: hash_of(text.encode()) for text in set(texts.tolist())}
            hashes[start : start + len(texts)] = [hash_by_text[text] for text in texts.tolist()]
        return hashes


def _last_start(rows: Rows) -> int:
    """Row at which the last episode begins."""
    same = (rows.policy == rows.policy[-1]) & (
        rows.columns["episode"] == rows.columns["episode"][-1]
    )
    others = np.flatnonzero(~same)
    return int(others[-1]) + 1 if others.size else 0


def _distinct_names(source: Source) -> list[Any]:
    """Distinct [(policy, policy_sha256, task)]; creates the DuckDB type ``policies``.

    Empty where the file has none of the three.
    """
    present = [name for name in NAMES if name in source.columns]
    if not present:
        return []
    columns = ", ".join(f"{n}::varchar" if n in present else "null" for n in NAMES)
    most = LIMITS.log_policies
    query = f"select distinct {columns} from {source.scan} limit {most + 1}"
    names = source.ask(query)
    if len(names) > most:
        raise LogError(f"{source.path}: more policies than the limit of {most:,}")
    policies = sorted({row[0] for row in names if row[0] is not None} or {""})
    source.run(f"create type policies as enum ({', '.join(map(text, policies))})")
    return names


def _flag(source: Source, name: str) -> str:
    """SQL of a boolean; in JSONL a missing value is ``false``."""
    value = f"coalesce({name}, 'false')" if source.kind == ".jsonl" else name
    return f"try_cast({value} as boolean)"


def _typed(name: str, kind: str) -> str:
    """SQL of a whole number, NULL for any other value (2.5, NaN, ``x``)."""
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"case when {name} = floor({name}) then try_cast({name} as bigint) end"
    if kind != "VARCHAR":
        return f"try_cast({name} as bigint)"
    whole = f"case when not contains({name}, '.') then try_cast({name} as bigint)"
    return f"{whole} when regexp_full_match({name}, '-?[0-9]+\\.0*') then {_before_point(name)} end"


def _before_point(name: str) -> str:
    return f"try_cast(split_part({name}, '.', 1) as bigint)"


def _floats(source: Source, seen: Survey) -> dict[str, str]:
    """{staged name: SQL} of proxy_reward and of the entries of vectors."""
    floats = {"proxy_reward": "proxy_reward"} if "proxy_reward" in source.columns else {}
    entries = [(name, k, sql) for name, all_ in seen.vectors.items() for k, sql in enumerate(all_)]
    return floats | {f"{name}_{k}": sql for name, k, sql in entries}


def _refuse_empty(source: Source, name: str, wanted: str) -> None:
    """Refuse the first row where the staged value is NULL."""
    row = source.ask(f"select min(rowid) from staged where {name} is null")[0][0]
    if row is None:
        return
    value = source.ask(f"select {name} from {source.scan} limit 1 offset {row}")[0][0]
    problem = "is missing" if value is None else f"{str(value)[:80]} is not {wanted}"
    source.complain(row, f"{name} {problem}")


def _constant(source: Source, name: str) -> Any:
    """The one value of a column, or None where there is no such column."""
    if name not in source.columns:
        return None
    query = f"select {name}, min(rowid) from staged group by {name} order by 2 limit 2"
    values = source.ask(query)
    if len(values) > 1:
        _differs(source, name, values)
    return values[0][0]


def _differs(source: Source, name: str, values: Sequence[Any]) -> NoReturn:
    """Refuse a second value; ``values`` are two (value, row)."""
    (before, _), (now, row) = values
    source.complain(row, f"{name} is {now}, before it was {before}: a log holds one {name}")


def write_table(
    path: str | Path, policies: Sequence[Episodes], kind: str, further: Further
) -> None:
    """Write Episodes as Parquet or CSV, one row per step; vectors are lists or numbered columns."""
    with open_database() as database:
        database.execute("set threads = 1")  # the same bytes every time
        for number, episodes in enumerate(policies):
            own = further.get(episodes.policy, {})
            database.register("table", _columns(episodes) | dict(own))
            columns = ", ".join((_selection(episodes, kind), *map(_further, own.items())))
            sql = f'select {columns} from "table"'
            how = "create table log as" if number == 0 else "insert into log by name"
            if number:
                _widen(database, sql)
            database.execute(f"{how} {sql}")
            database.unregister("table")
        order = "order by rowid"
        form = "format parquet, compression zstd" if kind == "parquet" else "format csv, header"
        database.execute(f"copy (select * from log {order}) to {text(path)} ({form})")


def _widen(database: "duckdb.DuckDBPyConnection", sql: str) -> None:
    """Add columns to ``log`` that only this policy has."""
    present = {row[0] for row in database.execute("describe log").fetchall()}
    for name, kind, *_ in database.execute(f"describe {sql}").fetchall():
        if name not in present:
            database.execute(f'alter table log add column "{name}" {kind}')


def _further(column: tuple[str, NDArray[Any]]) -> str:
    """SQL of a column outside the schema; NULL for NaN."""
    name, values = column
    return name if values.dtype.kind == "U" else f"nullif({name}, 'nan'::double) as {name}"


def _columns(episodes: Episodes) -> dict[str, NDArray[Any]]:
    """{name: array[T]} of the per-step columns, vectors as numbered columns."""
    lengths, starts = episodes.lengths, episodes.episode_offsets[:-1]
    columns = {
        "episode": episodes.episode_index,
        "level_seed": np.repeat(episodes.level_seed, lengths),
        "step": np.arange(episodes.num_steps) - np.repeat(starts, lengths),
        "state_id": episodes.state_id,
        "action": episodes.action,
    }
    ends = episodes.episode_offsets[1:] - 1
    for name in FLAGS:
        columns[name] = np.zeros(episodes.num_steps, bool)
        columns[name][ends] = getattr(episodes, name)
    if episodes.proxy_reward is not None:
        columns["proxy_reward"] = episodes.proxy_reward
    for name in VECTORS:
        matrix = getattr(episodes, name)
        for k in range(0 if matrix is None else matrix.shape[1]):
            columns[f"{name}_{k}"] = np.ascontiguousarray(matrix[:, k])
    return columns


def _selection(episodes: Episodes, kind: str) -> str:
    """SQL of the columns, in the order of the schema."""
    columns = [
        f"{text(episodes.task)} as task",
        f"{text(episodes.policy)} as policy",
        f"{text(getattr(episodes, 'sha256', ''))} as policy_sha256",
        f"{episodes.num_states}::bigint as num_states",
        f"{episodes.num_actions}::bigint as num_actions",
        *("episode", "level_seed", "step", "state_id", "action", *FLAGS),
    ]
    if episodes.proxy_reward is not None:
        columns.append("proxy_reward")
    for name in VECTORS:
        matrix = getattr(episodes, name)
        entries = [f"{name}_{k}" for k in range(0 if matrix is None else matrix.shape[1])]
        if kind == "csv":
            columns += entries
        elif entries:
            columns.append(f"[{', '.join(entries)}] as {name}")
    return ", ".join(columns)
