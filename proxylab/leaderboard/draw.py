"""Draw the leaderboard again from its tables: ``python -m proxylab.leaderboard.draw``."""

from proxylab.plots.leaderboard import leaderboard
from proxylab.plots.style import save
from proxylab.storage import store

TITLE = "Detectors on policies that were held out when they were chosen"


def draw(stem="leaderboard", title=TITLE):
    """Read ``<stem>-detectors.csv`` and ``-classes.csv``; the paths of the two pictures."""
    folder = store.shown_folder("tables")
    names = (f"{stem}-detectors", f"{stem}-classes", "leaderboard-published")
    read = [_columns(store.read_table(folder / f"{name}.csv")) for name in names]
    return save(leaderboard(*read, title=title), store.shown_folder("figures") / stem)


def _columns(rows):
    """{column: list} of a list of rows."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def main():
    """Draw and say where."""
    for path in draw():
        print(path)


if __name__ == "__main__":
    main()
