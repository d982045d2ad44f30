"""The console: progress bars on stderr, tables of results.

Rich omits colour when the stream is not a terminal or NO_COLOR is set.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape as without_markup
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from proxylab.console.terminal import visible

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


class RunConfig(Protocol):
    """What :class:`TrainingBar` shows of a ``TrainConfig``, which is on a higher floor."""

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    @property
    def role(self) -> str:
        """Role of the agent."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the run."""
        ...

    @property
    def total_timesteps(self) -> int:
        """Environment steps of the run."""
        ...


class Job(Protocol):
    """What :class:`TrainingBar` shows of a training job."""

    @property
    def config(self) -> RunConfig:
        """Its configuration."""
        ...


class Named(Protocol):
    """What :class:`SweepBar` shows of an experiment."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


class Ended(Protocol):
    """What :class:`SweepCount` needs of a job's result."""

    @property
    def error(self) -> object:
        """None where the job succeeded."""
        ...


class SafeConsole(Console):
    """A console that escapes control characters in texts; colours and cursor control remain."""

    def __init__(self, **options: Any) -> None:
        """A rich console without highlighting and ``:emoji:`` codes."""
        super().__init__(highlight=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape strings before their width is measured."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Escape all other texts, such as those of progress bars."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""function (jobs, description) -> iterable over the jobs, which shows progress."""


def no_progress(jobs: Sequence[Any], description: str) -> Iterable[Any]:
    """A :data:`Track` that returns the jobs and shows nothing."""
    return jobs


def track(jobs: Sequence[Any], description: str) -> Iterator[Any]:
    """Iterate over a list with a bar on stderr: done, total, and the time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = SafeConsole(stderr=True)
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        yield from progress.track(jobs, description=description)


class TrainingBar:
    """A bar on stderr: steps, success on held-out levels, rate and time left."""

    def __init__(self, job: Job) -> None:
        """Create the bar of a job; it appears on entering the context."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        config = job.config
        console = SafeConsole(stderr=True)
        shown = console.is_terminal
        self.progress = Progress(*columns, console=console, transient=True, disable=not shown)
        name = f"{config.task} {config.role} seed {config.seed}"
        self.bar = self.progress.add_task(name, total=config.total_timesteps, state="")
        self.began: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.progress.stop()

    def show(self, timesteps: int, row: Mapping[str, Any] | None, recent: float | None) -> None:
        """Show ``timesteps`` done, the last evaluation's ``row`` and the mean recent return."""
        now = time.perf_counter()
        began, before = self.began = self.began or (now, timesteps)
        words = [f"{(timesteps - before) / (now - began):,.0f}/s"] if now > began else []
        words += [f"success {row['success']:.1%}"] if row else []
        words += [f"return {recent:.2f}"] if recent is not None else []
        self.progress.update(self.bar, completed=timesteps, state=", ".join(words))


class SweepBar:
    """A bar on stderr for each sweep: runs done and failed, and the time left."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        console = SafeConsole(stderr=True)
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.progress.stop()

    def begin(self, experiment: Named, total: int, megabytes: float) -> "SweepCount":
        """Say how much one experiment may write and add a row for it; returns its counter."""
        note = f"{escape(experiment.name)}: writes at most {megabytes:,.0f} MB"
        self.progress.console.print(note)
        return SweepCount(
            self.progress, self.progress.add_task(experiment.name, total=total, state="")
        )


class SweepCount:
    """Counts the jobs of one sweep as they end."""

    def __init__(self, progress: Progress, row: TaskID) -> None:
        """Count on the row ``row`` of a rich ``Progress``."""
        self.progress, self.row, self.failed = progress, row, 0

    def count(self, ended: Ended) -> None:
        """Count one finished job, successful or not."""
        self.failed += ended.error is not None
        state = f"[red]{self.failed} failed[/]" if self.failed else ""
        self.progress.update(self.row, advance=1, state=state)


def escape(text: object) -> str:
    """An untrusted string for one line of rich: without markup and line breaks."""
    return without_markup(visible(str(text), frozenset()))


def table(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of dicts with the same keys."""
    if not rows:
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in rows[0]:
        numeric = all(isinstance(row[name], (int, float)) for row in rows)
        grid.add_column(escape(name.replace("_", " ")), justify="right" if numeric else "left")
    for row in rows:
        grid.add_row(*(coloured(value) for value in row.values()))
    console.print(grid)


def coloured(value: object) -> str:
    """The text of a cell: numbers shortened, lists joined, verdicts coloured."""
    text = escape(plain(value))
    colour = VERDICT_COLOURS.get(text)
    return f"[{colour}]{text}[/]" if colour else text


def plain(value: object) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    return "" if value is None else str(value)
