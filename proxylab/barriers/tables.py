"""The tables that a bow tie is read from, and numbers that name theirs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from proxylab.barriers.joint import Limits
from proxylab.errors import UsageError
from proxylab.reproduce.experiment import installed_experiments
from proxylab.statistics.resampling import Interval
from proxylab.storage.store import read_table, shown_folder

BARRIERS = "barriers-runs.csv"
LEVELS = "random-share-runs.csv"
MIXES = "reward-mix-runs.csv"
ALARMS = "early-warning-alarms.csv"
FORMS = "guard-gaming.csv"
TABLES = (BARRIERS, LEVELS, MIXES, ALARMS, FORMS)


@dataclass(frozen=True)
class Number:
    """A number with its 95 % interval and its origin.

    Attributes:
        value: the estimate; None where it is not defined, as a ratio over 0.
        low: lower end of the interval; None where there is no interval.
        high: upper end.
        source: file name of the table that it was computed from.
    """

    value: float | None
    low: float | None
    high: float | None
    source: str

    def __str__(self) -> str:
        """As ``0.25 [0.12, 0.40]``; ``–`` where it is not defined."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return _short(self.value)
        return f"{_short(self.value)} [{_short(self.low)}, {_short(self.high)}]"


def _short(value: float) -> str:
    """Two decimals, or one digit of what is smaller."""
    return f"{value:.2f}" if value >= 0.01 or value == 0 else f"{value:.1g}"


@dataclass(frozen=True)
class Source:
    """A table.

    Attributes:
        table: its file name.
        file: its path.
        command: the command that makes it.
    """

    table: str
    file: str
    command: str


class Read(NamedTuple):
    """Rows of a table."""

    rows: list[dict[str, Any]]
    source: Source


def number(interval: Interval | Limits, source: str) -> Number:
    """A :class:`Number` of (estimate, low, high)."""
    return Number(*interval, source)


def folders() -> list[Path]:
    """Where tables are looked for: in the results folder, then in the checkout or the wheel."""
    installed = installed_experiments()
    beside = [] if installed is None else [installed.parent / "results" / "tables"]
    return list(dict.fromkeys([shown_folder("tables"), *beside]))


def read(table: str) -> Read:
    """A table by its file name.

    Raises:
        UsageError: there is none; the message names the command that makes it.
    """
    command = f"proxylab reproduce {table.rpartition('-')[0]}"
    places = folders()
    for folder in places:
        if (folder / table).is_file():
            file = folder / table
            return Read(read_table(file), Source(table, str(file), command))
    searched = " or ".join(map(str, places))
    raise UsageError(f"there is no table {table} in {searched}: {command} makes it")
