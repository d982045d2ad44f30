"""Draw the leaderboard again from its tables: ``python -m proxylab.leaderboard.draw``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proxylab.plots.leaderboard import leaderboard
from proxylab.plots.style import save
from proxylab.storage import store

TITLE = "Detectors on policies that were held out when they were chosen"


def draw(stem: str = "leaderboard", title: str = TITLE) -> tuple[Path, Path]:
    """Draw ``<stem>-detectors.csv`` and ``<stem>-classes.csv``; the paths of the two figures."""
    folder = store.shown_folder("tables")
    names = (f"{stem}-detectors", f"{stem}-classes", "leaderboard-published")
    tables = [_columns(store.read_table(folder / f"{name}.csv")) for name in names]
    return save(leaderboard(*tables, title=title), store.shown_folder("figures") / stem)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """{column: list} of a list of rows."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def main() -> None:
    """Draw and print the paths."""
    for path in draw():
        print(path)


if __name__ == "__main__":
    main()
