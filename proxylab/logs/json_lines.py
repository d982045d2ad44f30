"""Bounded reading of JSON lines, shared by all readers of JSONL logs.

``proxylab.logs.lines`` reads a whole file into columns, ``proxylab.logs.live`` reads a growing
file into episodes.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from proxylab.logs.rows import LogError
from proxylab.storage.limits import LIMITS
from proxylab.storage.strict_json import parse_json

NUMBERS = frozenset((int, float))
"""Python types of a JSON number; bool is not one."""


def next_line(file: IO[bytes], source: str | Path, number: int) -> bytes:
    """The next line of an open binary file, empty at its end; reads no more than the limit.

    Raises:
        LogError: the line, ``number`` in messages, is over the limit.
    """
    limit = LIMITS.log_line_bytes
    line = file.readline(limit + 1)
    if len(line) > limit:
        raise LogError(f"{source}, line {number}: longer than the limit of {limit:,} bytes")
    return line


def record_of(line: bytes, source: str | Path, number: int) -> dict[str, Any]:
    """The JSON object of a line (bytes); ``LogError`` for anything else."""
    try:
        record = parse_json(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        record = None
    except ValueError as error:
        raise LogError(f"{source}, line {number}: {_reason(str(error))}") from None
    if not isinstance(record, dict):
        raise LogError(f"{source}, line {number}: this is not a JSON object")
    return record


def _reason(message: str) -> str:
    constant, separator, _ = message.partition(" is no number of JSON")
    if separator:
        return f"{constant} where a number must stand (NaN and infinity are none)"
    return "a number has too many digits" if "digits" in message else message


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all entries of a list are numbers."""
    return set(map(type, values)) <= NUMBERS


def are_vectors(values: Sequence[Any]) -> bool:
    """Whether all entries of a list are lists of numbers, all of the same length."""
    if set(map(type, values)) != {list} or len(set(map(len, values))) != 1:
        return False
    return set(map(type, chain.from_iterable(values))) <= NUMBERS
