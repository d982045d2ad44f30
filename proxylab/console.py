"""The console: progress bars on stderr, tables of results.

Rich leaves out colour when the stream is no terminal or NO_COLOR is set.
"""

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

VERDICT_COLOURS = {
    "ok": "green",
    "CLEAR": "green",
    "goal-misgeneralization": "red",
    "proxy-gaming": "red",
    "FLAG": "red",
    "broken": "red",
    "missing": "yellow",
    "capability-failure": "yellow",
}


def track(jobs, description):
    """Go through a list with a bar on stderr, done and total, and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        yield from progress.track(jobs, description=description)


class TrainingBar:
    """A bar on stderr: steps, success on held-out levels, rate and time left."""

    def __init__(self, job):
        """For a job with ``config`` and ``folder``; it appears on entering."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        config = job.config
        console = Console(stderr=True)
        shown = console.is_terminal
        self.progress = Progress(*columns, console=console, transient=True, disable=not shown)
        name = f"{config.task} {config.role} seed {config.seed}"
        self.bar = self.progress.add_task(name, total=config.total_timesteps, state="")
        self.began = None

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *_error):
        self.progress.stop()

    def show(self, timesteps, row, recent):
        """Show ``timesteps`` done, the last check's ``row`` and the mean recent return."""
        now = time.perf_counter()
        began, before = self.began = self.began or (now, timesteps)
        words = [f"{(timesteps - before) / (now - began):,.0f}/s"] if now > began else []
        words += [f"success {row['success']:.1%}"] if row else []
        words += [f"return {recent:.2f}"] if recent is not None else []
        self.progress.update(self.bar, completed=timesteps, state=", ".join(words))


class SweepBar:
    """A bar on stderr for each sweep: runs done and failed, and the time left."""

    def __init__(self):
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *_error):
        self.progress.stop()

    def begin(self, experiment, total):
        """A counter of the runs of one experiment, with ``count``."""
        return SweepCount(
            self.progress, self.progress.add_task(experiment.name, total=total, state="")
        )


class SweepCount:
    """Counts the jobs of one sweep as they end."""

    def __init__(self, progress, row):
        """Count on the row ``row`` of a rich ``Progress``."""
        self.progress, self.row, self.failed = progress, row, 0

    def count(self, ended):
        """One job ended, well or with an error."""
        self.failed += ended.error is not None
        state = f"[red]{self.failed} failed[/]" if self.failed else ""
        self.progress.update(self.row, advance=1, state=state)


def table(console, rows):
    """Print a list of dicts with the same keys."""
    if not rows:
        return
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in rows[0]:
        numeric = all(isinstance(row[name], (int, float)) for row in rows)
        found.add_column(name.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        found.add_row(*(coloured(value) for value in row.values()))
    console.print(found)


def coloured(value):
    """A cell: numbers short, lists joined, verdicts in their colour."""
    text = escape(plain(value))
    colour = VERDICT_COLOURS.get(text)
    return f"[{colour}]{text}[/]" if colour else text


def plain(value):
    """A value as text."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    return "" if value is None else str(value)
