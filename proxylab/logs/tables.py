"""Logs of a row a step through DuckDB, a column at a time: ten million rows fit in 2 GiB.

Parquet, CSV, and JSONL whose lines are whole steps.

Rows are first staged in a table of the right types, which spills to disk where it is
large; a value that is not of its column's type becomes empty there and is looked up
again in the file for the complaint.
"""

import csv
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from proxylab.environments.state_hash import hash_of
from proxylab.logs.rows import (
    FLAGS,
    INTEGERS,
    REQUIRED,
    TEXTS,
    VECTORS,
    LogError,
    Rows,
    check_width,
    hashed_sizes,
)
from proxylab.storage.limits import LIMITS
from proxylab.storage.store import open_database

MEMORY = "400MB"
"""What DuckDB may keep in memory; numpy's columns come on top."""

BATCH_EPISODES = 4_096
"""Episodes written at once."""

LONGEST_HEADER = 1 << 20
"""Most characters of a CSV's first line that are read."""

NUMBERED = re.compile(r"(features|probabilities)_(\d+)")


def read_table(path):
    """:class:`Rows` of a Parquet, CSV or JSONL file; ``LogError`` where it is no log."""
    try:
        with _staging() as database:
            kind = Path(path).suffix.lower()
            source = _Source(database, path, kind)
            _stage(source)
            return _rows(source)
    except UnicodeDecodeError:  # also from what DuckDB says about such a file
        raise LogError(f"{path} holds text that is not UTF-8") from None


@contextmanager
def _staging():
    """A DuckDB in memory that spills into a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder, open_database() as database:
        database.execute(f"set memory_limit = '{MEMORY}'")
        database.execute(f"set temp_directory = {_text(folder)}")
        database.execute("set threads = 2")
        yield database


class _Source:
    """The file as a relation.

    Attributes:
        columns: {name: type} of the file's columns.
        scan: SQL that reads the file.
    """

    def __init__(self, database, path, kind):
        self.database = database
        self.path = str(path)
        self.kind = kind
        columns = _csv_columns(path) if kind == ".csv" else _json_columns()
        self.scan = READERS[kind].format(path=_text(path), columns=columns)
        self.columns = dict(row[:2] for row in self.ask(f"describe select * from {self.scan}"))
        if kind == ".jsonl":
            counts = ", ".join(f"count({name})" for name in self.columns)
            filled = self.ask(f"select {counts} from {self.scan}")[0]
            kept = [name for name, count in zip(self.columns, filled, strict=True) if count]
            self.columns = {name: self.columns[name] for name in kept}

    def ask(self, query):
        """All rows of a query; ``LogError`` where the file is damaged."""
        return self.run(query).fetchall()

    def run(self, query):
        """The cursor of a query; ``LogError`` where the file is damaged."""
        import duckdb  # slow to load

        try:
            return self.database.execute(query)
        except duckdb.Error as error:
            raise LogError(f"{self.path} cannot be read: {_first_line(error)}") from None

    def column(self, expression):
        """A column of the staged table, in the order of the file: numpy array."""
        return next(iter(self.run(f"select {expression} from staged").fetchnumpy().values()))

    def place(self, row):
        """Where a row (an index) stands in the file; the header is line 1 of a CSV."""
        if self.kind == ".parquet":
            return f"row {row + 1}"
        return f"line {row + 1 + (self.kind == '.csv')}"


READERS = {
    ".parquet": "read_parquet({path})",
    ".csv": "read_csv({path}, header = true, auto_detect = false, null_padding = true, "
    "delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})",
    ".jsonl": "read_json({path}, format = 'newline_delimited', columns = {{{columns}}})",
}
"""SQL that reads a file, by its ending."""


def _json_columns():
    """Every column of the schema; those that the file has not stay empty."""
    kinds = dict.fromkeys((*INTEGERS, *FLAGS, *TEXTS, "proxy_reward"), "VARCHAR")
    kinds |= dict.fromkeys(VECTORS, "DOUBLE[]")
    return ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items())


def _csv_columns(path):
    """Every column of a CSV's header, as text; the types are checked where rows are staged."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader([file.readline(LONGEST_HEADER)]), [])
    check_width(path, "the number of columns", len(header))
    if not header or len(set(header)) < len(header):
        raise LogError(f"{path}: the first line must name each column once")
    return ", ".join(f"{_text(name)}: 'VARCHAR'" for name in header)


def _text(value):
    """A string for SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def _first_line(error):
    """What DuckDB says, without its kind of error, its caret and its advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].split("Error: ", 1)[-1].rstrip(".") if lines else type(error).__name__


def _stage(source):
    """Make the table ``staged`` of what the schema knows; complain of the first bad value."""
    missing = [name for name in REQUIRED if name not in source.columns]
    if missing:
        raise LogError(f"{source.path}: the column {missing[0]} is missing")
    _check_count(source)
    parts = [f"{_typed(n, source.columns[n])} as {n}" for n in INTEGERS if n in source.columns]
    parts += [f"{_flag(source, n)} as {n}" for n in FLAGS if n in source.columns]
    parts += [f"cast({n} as varchar) as {n}" for n in TEXTS if n in source.columns]
    parts += [f"{sql} as {name}" for name, sql in _floats(source).items()]
    source.run(f"create temp table staged as select {', '.join(parts)} from {source.scan}")
    if not source.ask("select count(*) from staged")[0][0]:
        raise LogError(f"{source.path} holds no rows")
    kinds = dict.fromkeys(FLAGS, "true or false") | dict.fromkeys(INTEGERS, "a whole number")
    for name, wanted in kinds.items():
        if name in source.columns:
            _refuse_empty(source, name, wanted)


def _check_count(source):
    """Complain of too many rows, and of so many in so few bytes that nothing can be in them."""
    count = source.ask(f"select count(*) from {source.scan}")[0][0]
    if count > LIMITS.log_rows:
        raise LogError(f"{source.path}: {count:,} rows are over the limit of {LIMITS.log_rows:,}")
    if count > max(1000, LIMITS.log_rows_per_byte * os.stat(source.path).st_size):
        raise LogError(f"{source.path}: {count:,} rows in so small a file: a bomb?")


def _flag(source, name):
    """SQL of a truth value; a line of JSON need not say ``false``."""
    given = f"coalesce({name}, 'false')" if source.kind == ".jsonl" else name
    return f"try_cast({given} as boolean)"


def _typed(name, kind):
    """SQL of a whole number, NULL where the value is none (also for 2.5, NaN and ``x``)."""
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"case when {name} = floor({name}) then try_cast({name} as bigint) end"
    if kind != "VARCHAR":
        return f"try_cast({name} as bigint)"
    whole = f"case when not contains({name}, '.') then try_cast({name} as bigint)"
    return f"{whole} when regexp_full_match({name}, '-?[0-9]+\\.0*') then {_before_point(name)} end"


def _before_point(name):
    return f"try_cast(split_part({name}, '.', 1) as bigint)"


def _floats(source):
    """{staged name: SQL} of proxy_reward and of the entries of vectors."""
    found = {}
    if "proxy_reward" in source.columns:
        found["proxy_reward"] = _float("proxy_reward")
    for name in VECTORS:
        for k, sql in enumerate(_entries(source, name)):
            found[f"{name}_{k}"] = _float(sql)
    return found


def _float(sql):
    """SQL of a float; what is none is NaN."""
    return f"coalesce(try_cast({sql} as float), 'nan'::float)"


def _entries(source, name):
    """SQL of each entry of a vector: of a list column, or of numbered columns."""
    if name in source.columns:
        if not source.columns[name].endswith("]"):
            raise LogError(f"{source.path}: the column {name} must hold lists of numbers")
        low, high = source.ask(f"select min(len({name})), max(len({name})) from {source.scan}")[0]
        if low != high:
            raise LogError(f"{source.path}: {name} has {low} to {high} entries a row")
        check_width(source.path, name, high or 0)
        return [f"{name}[{k + 1}]" for k in range(high or 0)]
    matches = [NUMBERED.fullmatch(column) for column in source.columns]
    numbers = sorted(int(m[2]) for m in matches if m and m[1] == name)
    if numbers != list(range(len(numbers))):
        raise LogError(f"{source.path}: columns {name}_0, {name}_1, … are not without a gap")
    return [f"{name}_{k}" for k in numbers]


def _refuse_empty(source, name, wanted):
    """Complain of the first row where the staged value is NULL."""
    row = source.ask(f"select min(rowid) from staged where {name} is null")[0][0]
    if row is None:
        return
    value = source.ask(f"select {name} from {source.scan} limit 1 offset {row}")[0][0]
    said = "is missing" if value is None else f"{value} is not {wanted}"
    raise LogError(f"{source.path}, {source.place(row)}: {name} {said}")


def _rows(source):
    """The staged table as :class:`Rows`."""
    policy, names = _policies(source)
    columns = {n: source.column(n) for n in (*REQUIRED, *FLAGS) if n in source.columns}
    staged = [row[0] for row in source.ask("describe staged")]
    if "proxy_reward" in staged:
        columns["proxy_reward"] = source.column("proxy_reward")
    for name in VECTORS:
        entries = [column for column in staged if column.startswith(f"{name}_")]
        if entries:
            columns[name] = _matrix(source, entries, len(policy))
    rows = Rows(source.path, source.place, names, policy, columns)
    rows.task = _constant(source, "task")
    sizes = {n: _constant(source, n) for n in ("num_states", "num_actions")}
    rows.sizes = {name: value for name, value in sizes.items() if value is not None}
    rows.digests = _digests(source)
    _states(source, rows)
    return rows


def _matrix(source, entries, count):
    """float32[count, entries], filled a column at a time."""
    found = np.empty((count, len(entries)), np.float32)
    for k, entry in enumerate(entries):
        found[:, k] = source.column(entry)
    return found


def _policies(source):
    """(int32[T] index into names, names in the order of their first rows)."""
    if "policy" not in source.columns:
        count = source.ask("select count(*) from staged")[0][0]
        return np.zeros(count, np.int32), [source.path]
    found = source.ask("select policy, min(rowid) from staged group by policy order by 2")
    if any(name is None for name, _ in found):
        row = next(row for name, row in found if name is None)
        raise LogError(f"{source.path}, {source.place(row)}: policy is missing")
    names = [name for name, _ in found]
    if len(names) == 1:
        return np.zeros(source.ask("select count(*) from staged")[0][0], np.int32), names
    source.run("create temp table names (policy varchar, code integer)")
    pairs = [(name, code) for code, name in enumerate(names)]
    source.database.executemany("insert into names values (?, ?)", pairs)
    joined = "select code from staged join names using (policy) order by staged.rowid"
    return source.run(joined).fetchnumpy()["code"], names


def _constant(source, name):
    """The one value of a column, or None where there is no such column."""
    if name not in source.columns:
        return None
    found = source.ask(f"select {name}, min(rowid) from staged group by {name} order by 2")
    if len(found) > 1:
        where = source.place(found[1][1])
        raise LogError(
            f"{source.path}, {where}: {name} is {found[1][0]}, before it was {found[0][0]}: "
            f"a log holds one {name}"
        )
    return found[0][0]


def _digests(source):
    if not {"policy", "policy_sha256"} <= source.columns.keys():
        return {}
    pairs = source.ask("select distinct policy, policy_sha256 from staged")
    if len({policy for policy, _ in pairs}) < len(pairs):
        raise LogError(f"{source.path}: one policy has two policy_sha256")
    return {policy: digest for policy, digest in pairs if digest}


def _states(source, rows):
    """``state_id``, or the hash of ``observation_hash``."""
    if "state_id" in source.columns:
        rows.columns["state_id"] = source.column("state_id")
    elif "observation_hash" in source.columns:
        _refuse_empty(source, "observation_hash", "a text")
        texts = [row[0] for row in source.ask("select distinct observation_hash from staged")]
        source.run("create temp table hashes (observation_hash varchar, id bigint)")
        pairs = [(text, hash_of(text.encode())) for text in texts]
        source.database.executemany("insert into hashes values (?, ?)", pairs)
        joined = "select id from staged join hashes using (observation_hash) order by staged.rowid"
        rows.columns["state_id"] = source.run(joined).fetchnumpy()["id"]
        hashed_sizes(rows)


def write_table(path, policies, kind):
    """Write Episodes as Parquet or CSV, a row a step; vectors are lists or numbered columns."""
    with open_database() as database:
        database.execute("set threads = 1")  # the same bytes every time
        for number, episodes in enumerate(policies):
            table = _columns(episodes)
            database.register("table", table)
            sql = f'select {_selection(episodes, kind)} from "table"'
            how = "create table log as" if number == 0 else "insert into log by name"
            if number:
                _widen(database, sql)
            database.execute(f"{how} {sql}")
            database.unregister("table")
        order = "order by rowid"
        form = "format parquet, compression zstd" if kind == "parquet" else "format csv, header"
        database.execute(f"copy (select * from log {order}) to {_text(path)} ({form})")


def _widen(database, sql):
    """Add to ``log`` the columns that this policy has and those before it lack."""
    have = {row[0] for row in database.execute("describe log").fetchall()}
    for name, kind, *_ in database.execute(f"describe {sql}").fetchall():
        if name not in have:
            database.execute(f'alter table log add column "{name}" {kind}')


def _columns(episodes):
    """{name: array[T]} of what changes from step to step, vectors as numbered columns."""
    lengths, starts = episodes.lengths, episodes.episode_offsets[:-1]
    found = {
        "episode": episodes.episode_index,
        "level_seed": np.repeat(episodes.level_seed, lengths),
        "step": np.arange(episodes.num_steps) - np.repeat(starts, lengths),
        "state_id": episodes.state_id,
        "action": episodes.action,
    }
    ends = episodes.episode_offsets[1:] - 1
    for name in FLAGS:
        found[name] = np.zeros(episodes.num_steps, bool)
        found[name][ends] = getattr(episodes, name)
    if episodes.proxy_reward is not None:
        found["proxy_reward"] = episodes.proxy_reward
    for name in VECTORS:
        matrix = getattr(episodes, name)
        for k in range(0 if matrix is None else matrix.shape[1]):
            found[f"{name}_{k}"] = np.ascontiguousarray(matrix[:, k])
    return found


def _selection(episodes, kind):
    """SQL of the columns, in the order of the schema."""
    told = [
        f"{_text(episodes.task)} as task",
        f"{_text(episodes.policy)} as policy",
        f"{_text(getattr(episodes, 'sha256', ''))} as policy_sha256",
        f"{episodes.num_states}::bigint as num_states",
        f"{episodes.num_actions}::bigint as num_actions",
        *("episode", "level_seed", "step", "state_id", "action", *FLAGS),
    ]
    if episodes.proxy_reward is not None:
        told.append("proxy_reward")
    for name in VECTORS:
        matrix = getattr(episodes, name)
        entries = [f"{name}_{k}" for k in range(0 if matrix is None else matrix.shape[1])]
        if kind == "csv":
            told += entries
        elif entries:
            told.append(f"[{', '.join(entries)}] as {name}")
    return ", ".join(told)
