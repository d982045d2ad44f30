"""The reader of each format; only the process of ``proxylab.logs.worker`` calls it."""

from collections.abc import Callable, Iterator

from proxylab.logs import format_of
from proxylab.logs.budget import Budget
from proxylab.logs.rows import Rows


def reader_of(path: str) -> Callable[[str, Budget, str], Iterator[Rows]]:
    """Function (path, :class:`~proxylab.logs.budget.Budget`, folder) -> iterator of ``Rows``.

    The folder is for temporary files.
    """
    kind = format_of(path)
    if kind == "jsonl":
        from proxylab.logs.lines import read_lines as read  # each format loads its library
    elif kind == "minari":
        from proxylab.logs.minari import read_minari as read  # each format loads its library
    else:
        from proxylab.logs.tables import read_table as read  # each format loads its library
    return read
