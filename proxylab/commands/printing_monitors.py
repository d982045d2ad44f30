"""Results of ``monitor``, ``guard`` and ``search`` as console text."""

from typing import TYPE_CHECKING

from rich.console import Console

from proxylab.console.output import escape, table

if TYPE_CHECKING:
    from proxylab.guard.run import GuardReport
    from proxylab.monitor.run import MonitorReport
    from proxylab.search.run import SearchReport


def show_monitor(console: Console, result: "MonitorReport", _command: object) -> None:
    """The log, the trusted policies, and whether there was an alarm."""
    console.print(f"watched: {escape(result.watched)}")
    console.print(
        f"trusted: {result.n_reference} reference and {result.n_calibration} calibration policies "
        f"of {result.task}, whose mean {result.detector} stays below {result.ceiling:.3g}"
    )
    mean = "" if result.mean_score is None else f", mean score {result.mean_score:.3g}"
    skipped = f" ({result.skipped} on levels unknown to the trusted)" if result.skipped else ""
    console.print(f"{result.episodes} episodes{skipped}{mean}, e-value {result.e_value:.3g}")
    if result.alarm:
        console.print(f"[red]ALARM[/] after {result.alarm_episode} episodes")
    else:
        limit = f"e-value {result.threshold:.3g}, alpha {result.alpha:g} over the whole watch"
        console.print(f"no alarm (it sounds at {limit})")


def show_guard(console: Console, result: "GuardReport", _command: object) -> None:
    """The guard, and one row per policy: its return without and with it, and the help."""
    own = result.settings
    rate = f"alpha {own.alpha:g}" if own.budget is None else f"budget {own.budget:g}"
    console.print(
        f"{result.task}, {own.episodes} {result.split} levels; trigger {own.trigger}: above "
        f"{result.threshold:.3g} ({rate}, {result.n_calibration} trusted agents) {own.policy}"
    )
    mean, low, high = result.trusted_return
    console.print(f"{escape(result.references[0])} alone: {mean:.2f} [{low:.2f}, {high:.2f}]")
    rows = [
        {
            "agent": row.agent,
            "true return": _mean_of(row.unguarded),
            "guarded": _mean_of(row.guarded),
            "kept": "" if row.kept is None else f"{row.kept:.0%}",
            "episodes with help": f"{row.help_episodes:.0%}",
            "steps": f"{row.help_steps:.0%}",
            "first at step": "" if row.delay is None else f"{row.delay:.0f}",
            "lost without help": f"{row.damage_without_help:.2f}",
        }
        for row in result.suspects
    ]
    table(console, rows)
    if result.log:
        console.print(f"log: {escape(result.log)}")


def _mean_of(interval: tuple[float, float, float]) -> str:
    mean, low, high = interval
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def show_search(console: Console, result: "SearchReport", _command: object) -> None:
    """The scores of all levels, the worst level, and a row per level that was kept."""
    beside = f" beside {result.trusted}" if result.trusted else ""
    console.print(
        f"{escape(result.suspect)}{escape(beside)}: {result.levels:,} levels by "
        f"{result.settings.method}, {result.levels_per_second:,.0f} levels/s"
    )
    of_all = ", ".join(f"{p}th percentile {v:.3g}" for p, v in result.percentiles.items())
    console.print(f"{result.settings.maximise}: mean {result.mean:.3g}, {of_all}")
    for line in result.worst[0].text.splitlines():
        console.print(escape(line))
    table(
        console,
        [
            {
                result.settings.maximise: w.score,
                "again": w.again,
                **w.measures,
                "file": w.file or "",
            }
            for w in result.worst
        ],
    )
    if result.picture:
        console.print(f"picture: {escape(result.picture)}")
