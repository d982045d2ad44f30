"""The process that reads logs: ``python -P -m proxylab.logs.worker FOLDER``.

A request is a line of JSON: the log's ``path``, its name ``source`` in messages, its ``size`` in
bytes, the ``task`` or null, and whether it is ``large``.
The response begins with a frame (its length in 4 bytes, little endian, then JSON): the ``task``
recorded in the log. The client replies with a line of JSON with the sizes of that task. Then
follow, for each policy (of a large log: for each part of a policy), a frame with names, types and
shapes of its arrays and the arrays' bytes, and last an empty object; or at any point a frame with
an ``error``. Nothing is pickled.

``FOLDER`` is for temporary files; the client creates and removes it.
"""

import json
import os
import sys
from collections.abc import Mapping
from itertools import chain
from typing import Any, NoReturn

from proxylab.console.terminal import one_line
from proxylab.errors import UsageError
from proxylab.logs.budget import Budget
from proxylab.logs.reading import reader_of
from proxylab.logs.rows import RecordedEpisodes, episodes_of_rows
from proxylab.storage.store import open_database
from proxylab.untrusted.confined import address_space, bound_time, rebound, run

SLACK_BYTES = 1 << 20
"""Bytes of an array that are written in one call."""


def main() -> None:
    """Answer requests until stdin ends."""
    rest = _warm()
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        budget = Budget(request["source"], request["size"], request["large"])
        rebound(rest + budget.memory, budget.disk)
        bound_time(budget.cpu_seconds, whole_life=False)
        try:
            _answer(request, budget)
        except UsageError as error:
            _frame({"error": str(error)})
        except UnicodeDecodeError:  # DuckDB's messages about such a file raise it too
            _frame({"error": f"{budget.source} holds text that is not UTF-8"})
        except MemoryError:
            _give_up(f"reading it takes more than {budget.memory >> 20} MiB of memory", budget)
        except RecursionError:
            _frame({"error": f"{budget.source}: it is nested too deeply"})
        except Exception as error:  # whatever a library raises for a damaged file
            what = one_line(f"it cannot be read ({type(error).__name__}: {error})")
            _frame({"error": f"{budget.source}: {what}"})


def _warm() -> int:
    """Load DuckDB, which most formats need; returns the bytes of address space when idle."""
    with open_database(threads=2, async_threads=0) as database:
        database.execute("select 1").fetchall()
    return address_space()


def _answer(request: Mapping[str, Any], budget: Budget) -> None:
    pieces = reader_of(request["path"])(request["path"], budget, sys.argv[1])
    first = next(pieces)
    _frame({"task": first.task})
    sizes = json.loads(sys.stdin.buffer.readline())
    for rows in chain([first], pieces):
        for episodes in episodes_of_rows(rows, request["task"], sizes):
            _send(episodes)
    _frame({})


def _send(episodes: RecordedEpisodes) -> None:
    arrays = episodes.arrays()
    shapes = {name: [array.dtype.str, *array.shape] for name, array in arrays.items()}
    _frame({"facts": episodes.facts(), "arrays": shapes})
    for array in arrays.values():
        _write(memoryview(array.reshape(-1).view("u1").data))


def _frame(record: Mapping[str, Any]) -> None:
    raw = json.dumps(record).encode()
    _write(len(raw).to_bytes(4, "little") + raw)
    sys.stdout.buffer.flush()


def _write(view: bytes | memoryview) -> None:
    for start in range(0, len(view), SLACK_BYTES):
        sys.stdout.buffer.write(view[start : start + SLACK_BYTES])


def _give_up(message: str, budget: Budget) -> NoReturn:
    """Report an error and end the process: after a MemoryError its state is undefined."""
    _frame({"error": f"{budget.source}: {message}", "last": True})
    os._exit(1)


if __name__ == "__main__":
    run(main)
