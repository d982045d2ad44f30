"""A log file as a DuckDB relation: its columns and its size.

One pass over the file (:func:`survey`) measures the memory that its rows would need, so that a
file over the limits is refused before a table is created.
"""

import csv
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from proxylab.logs.budget import Budget
from proxylab.logs.rows import (
    FLAGS,
    INTEGERS,
    TEXTS,
    VECTORS,
    LogError,
    check_width,
)
from proxylab.storage.limits import LIMITS, MIB
from proxylab.storage.store import open_confined

if TYPE_CHECKING:
    import duckdb

MEMORY = 256 * MIB
"""Memory limit of DuckDB, in addition to the NumPy columns."""

LONGEST_HEADER = 1 << 20
"""Largest number of characters read of a CSV's first line."""

NUMBERED = re.compile(r"(features|probabilities)_(\d{1,4000})")

AT_ONCE = 1 << 20
"""Number of rows of a column fetched at a time."""

PATTERN = frozenset("*?[")
"""Characters that make DuckDB treat a path as a pattern."""

READERS = {
    ".parquet": "read_parquet({path})",
    ".csv": "read_csv({path}, header = true, auto_detect = false, null_padding = true, "
    "delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})",
    ".jsonl": "read_json({path}, format = 'newline_delimited', maximum_object_size = {line}, "
    "columns = {{{columns}}})",
}
"""SQL that reads a file, by its extension."""

NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
SINGLE = re.compile(rf"{NUMBER.pattern}|BOOLEAN|VARCHAR|ENUM\(.*\)", re.DOTALL)
LIST = re.compile(rf"({NUMBER.pattern})\[\d*\]")
"""DuckDB types of columns of numbers, of scalars and of vectors."""


@contextmanager
def opened(path: str | Path, budget: Budget, folder: str | Path) -> "Generator[Source]":
    """A :class:`Source` on a DuckDB in memory that spills into ``folder``."""
    kind = Path(path).suffix.lower()
    readable = _without_pattern(path, folder, kind)
    limits = {"memory_limit": f"{MEMORY}B", "max_temp_directory_size": f"{budget.disk}B"}
    settings = limits | {"temp_directory": str(Path(folder) / "spilled"), "threads": 2}
    with open_confined(readable, **settings) as database:
        yield Source(database, readable, kind, budget)


def _without_pattern(path: str | Path, folder: str | Path, kind: str) -> str:
    """``path``, or a link to it where DuckDB would treat it as a pattern."""
    if not PATTERN.intersection(str(path)):
        return str(path)
    link = Path(folder) / f"log{kind}"
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return str(link)


class Source:
    """The log file as a relation.

    Attributes:
        path: name of the file in messages.
        budget: :class:`~proxylab.logs.budget.Budget`.
        columns: {name: type} of the file's columns.
        scan: SQL that reads the file.
    """

    def __init__(
        self, database: "duckdb.DuckDBPyConnection", path: str, kind: str, budget: Budget
    ) -> None:
        """Determine the columns of the file at ``path``; ``kind`` is its extension."""
        self.database = database
        self.path = budget.source
        self.budget = budget
        self.kind = kind
        columns = _csv_columns(path, self.path) if kind == ".csv" else _json_columns()
        fields = {"path": text(path), "columns": columns, "line": LIMITS.log_line_bytes}
        self.scan = READERS[kind].format(**fields)
        self.columns = dict(row[:2] for row in self.ask(f"describe select * from {self.scan}"))

    def ask(self, query: str) -> list[Any]:
        """All rows of a query; ``LogError`` where the file is damaged."""
        return self.run(query).fetchall()

    def run(self, query: str) -> "duckdb.DuckDBPyConnection":
        """The cursor of a query; ``LogError`` where the file is damaged."""
        import duckdb  # slow to load

        try:
            return self.database.execute(query)
        except duckdb.OutOfMemoryException:
            self.budget.complain(
                f"reading it takes more than {MEMORY >> 20} MiB of memory and "
                f"{self.budget.disk / 1e6:,.0f} MB of temporary files"
            )
        except duckdb.Error as error:
            raise LogError(f"{self.path} cannot be read: {_first_line(error)}") from None

    def pieces(
        self, expression: str, rows: range, step: int = AT_ONCE
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """(place in ``rows``, array) of a column of the staged table, ``step`` rows at a time."""
        for start in range(rows.start, rows.stop, step):
            where = f"rowid >= {start} and rowid < {min(start + step, rows.stop)}"
            query = self.run(f"select {expression} from staged where {where}")
            columns: dict[str, Any] = query.fetchnumpy()
            yield start - rows.start, next(iter(columns.values()))

    def column(self, expression: str, dtype: DTypeLike, rows: range) -> NDArray[Any]:
        """Rows of a column of the staged table, in the order of the file: array, NULL as NaN."""
        values = np.empty(len(rows), dtype)
        for start, piece in self.pieces(expression, rows):
            masked = np.ma.isMaskedArray(piece)
            values[start : start + len(piece)] = np.ma.filled(piece, np.nan) if masked else piece
        return values

    def place(self, row: int) -> str:
        """Where a row (an index) stands in the file; the header is line 1 of a CSV."""
        if self.kind == ".parquet":
            return f"row {row + 1}"
        return f"line {row + 1 + (self.kind == '.csv')}"

    def complain(self, row: int, message: str) -> NoReturn:
        """Raise ``LogError`` for a row (an index from 0)."""
        raise LogError(f"{self.path}, {self.place(row)}: {message}")

    def first_row(self, condition: str) -> int | None:
        """Index of the first row that satisfies a condition, or None; a slow full scan."""
        numbered = f"select row_number() over () - 1 as n, * from {self.scan}"
        return self.ask(f"select min(n) from ({numbered}) where {condition}")[0][0]


def _json_columns() -> str:
    """All columns of the schema; those missing in the file are empty."""
    kinds = dict.fromkeys((*INTEGERS, *FLAGS, *TEXTS, "proxy_reward"), "VARCHAR")
    kinds |= dict.fromkeys(VECTORS, "DOUBLE[]")
    return ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items())


def _csv_columns(path: str | Path, source: str) -> str:
    """All columns of a CSV's header, as text; staging checks the types."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            header = next(csv.reader([file.readline(LONGEST_HEADER)]), [])
        except csv.Error as error:
            raise LogError(f"{source}: the first line names no columns ({error})") from None
    check_width(source, "the number of columns", len(header))
    if not header or len(set(header)) < len(header):
        raise LogError(f"{source}: the first line must name each column once")
    return ", ".join(f"{text(name)}: 'VARCHAR'" for name in header)


def text(value: Path | str) -> str:
    """An SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    """The first line of a DuckDB message, without the error class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].split("Error: ", 1)[-1].rstrip(".") if lines else type(error).__name__


@dataclass
class Survey:
    """Sizes measured in one pass over the file.

    Attributes:
        count: rows.
        vectors: {name: SQL of each of its entries}.
        text_bytes: of all ``observation_hash``.
        longest_hash: bytes of the longest of them.
    """

    count: int = 0
    vectors: dict[str, list[str]] = field(default_factory=dict)
    text_bytes: int = 0
    longest_hash: int = 0


def survey(source: Source) -> Survey:
    """:class:`Survey`; JSONL columns without any value are removed from ``source``.

    Raises:
        LogError: a column is of a wrong type, or the file's rows are over a limit.
    """
    _check_types(source)
    texts = [name for name in TEXTS if name in source.columns]
    lists = [name for name in VECTORS if name in source.columns]
    filled = list(source.columns) if source.kind == ".jsonl" else []
    selection = [
        "count(*)",
        *(f"max(strlen({name}::varchar))" for name in texts),
        *(f"{most}(len({name}))" for name in lists for most in ("min", "max")),
        *(f"count({name})" for name in filled),
        "sum(strlen(observation_hash::varchar))" if "observation_hash" in texts else "0",
    ]
    answers = iter(source.ask(f"select {', '.join(selection)} from {source.scan}")[0])
    result = Survey(next(answers))
    source.budget.check_rows(result.count)
    longest = {name: next(answers) or 0 for name in texts}
    for name, length in longest.items():
        if length > LIMITS.log_text_bytes:
            limit = f"over the limit of {LIMITS.log_text_bytes:,} bytes"
            raise LogError(f"{source.path}: a {name} of {length:,} bytes is {limit}")
    widths = {name: (next(answers), next(answers)) for name in lists}
    empty = {name for name in filled if not next(answers)}
    source.columns = {name: kind for name, kind in source.columns.items() if name not in empty}
    result.text_bytes, result.longest_hash = next(answers) or 0, longest.get("observation_hash", 0)
    result.vectors = {name: _entries(source, name, widths.get(name, (0, 0))) for name in VECTORS}
    width = len(INTEGERS) + sum(map(len, result.vectors.values()))
    source.budget.check_cells(result.count, width, result.text_bytes)
    return result


def _check_types(source: Source) -> None:
    """Refuse a column of an impossible type, such as a list of actions."""
    for name in (*INTEGERS, *FLAGS, *TEXTS, "proxy_reward"):
        kind = source.columns.get(name, "VARCHAR")
        if not SINGLE.fullmatch(kind):
            raise LogError(f"{source.path}: the column {name} holds {kind[:40]}, no single values")
    for name in VECTORS:
        if not LIST.fullmatch(source.columns.get(name, "DOUBLE[]")):
            raise LogError(f"{source.path}: the column {name} must hold lists of numbers")


def _entries(source: Source, name: str, lengths: tuple[Any, Any]) -> list[str]:
    """SQL of each entry of a vector: of a list column, or of numbered columns."""
    if name in source.columns:
        low, high = lengths
        if low != high:
            raise LogError(f"{source.path}: {name} has {low} to {high} entries a row")
        check_width(source.path, name, high or 0)
        return [f"{name}[{k + 1}]" for k in range(high or 0)]
    matches = [NUMBERED.fullmatch(column) for column in source.columns]
    numbers = sorted(int(m[2]) for m in matches if m and m[1] == name)
    check_width(source.path, name, len(numbers))
    if numbers != list(range(len(numbers))):
        raise LogError(f"{source.path}: columns {name}_0, {name}_1, … are not without a gap")
    return [f"{name}_{k}" for k in numbers]
