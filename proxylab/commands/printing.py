"""Results as text for people: one function a kind of result, all on stdout.

Rich leaves out colour when stdout is no terminal or NO_COLOR is set.
"""

import sys
from dataclasses import fields, is_dataclass

from rich.console import Console
from rich.markup import escape

from proxylab.console import VERDICT_COLOURS, coloured, plain, table

PIPED_WIDTH = 240
"""Columns where stdout is no terminal, so that nothing is cut."""


def show(result, command):
    """Print a result in the way of its type; ``command`` holds options such as ``greedy``."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPED_WIDTH)
    SHOW.get(type(result).__name__, show_facts)(console, result, command)


def show_inventory(console, found, _command):
    """A table, with digests cut short, or what to do when there is nothing."""
    rows = [{**row, "sha256": row["sha256"][:12]} if "sha256" in row else row for row in found.rows]
    table(console, rows)
    if not rows:
        print(found.note, file=sys.stderr)


def show_fields(console, found, _command):
    """Where the figure is, and how sure each agent is of its moves."""
    for field in found.fields:
        sure = field.probabilities.max(1).mean()
        text = f"{escape(field.agent)}: its likeliest action has {sure:.0%} on average"
        console.print(f"{text}, over {len(field.cells)} cells")
    console.print(escape(found.figure))


def show_evaluation(console, found, command):
    """A table a agent: a row a split, then the verdict."""
    mode = "greedy" if command.greedy else "sampled"
    for agent in found.agents:
        console.print(f"[bold]{escape(agent.agent)}[/], trained on {agent.trained_reward}, {mode}")
        table(console, [_split_row(*item, mode) for item in agent.splits.items()])
        console.print(f"{coloured(agent.verdict)}: {escape(agent.reason)}\n")


def _split_row(split, result, mode):
    """What is shown of one split; returns as shares of the best that the levels allow."""
    summary = getattr(result, mode)
    shares = {name: f"{100 * s.share:.1f} %" for name, s in summary.outcomes.items()}
    return {
        "split": split,
        "episodes": result.episodes,
        "true return": _with_ci(summary.true_return),
        "proxy return": _with_ci(summary.proxy_return),
        **shares,
        "proxy first": f"{100 * summary.proxy_first.share:.1f} %",
        "accidental": plain(result.accidental and result.accidental.true_return.normalised),
    }


def _with_ci(found):
    if found.normalised is None:
        return f"{found.mean:.2f} (nothing to gain)"
    low, high = found.normalised_ci
    return f"{found.mean:.2f} = {found.normalised:.2f} [{low:.2f}, {high:.2f}]"


def show_diagnosis(console, found, _command):
    """A row a check."""
    rows = [
        {"check": c.name, "status": c.status, "found": c.found, "advice": c.advice}
        for c in found.checks
    ]
    table(console, rows)


def show_demo(console, found, _command):
    """What was trained, what it pursues, what the detector says, and where to look."""
    from proxylab.demo.summary import summary

    console.print(summary(found))


def show_trained(console, found, _command):
    """Where each run is and how it went."""
    for run in found.runs:
        how = "was there already" if run.skipped else f"{run.seconds:.0f} s"
        when = run.seconds_to_competence
        able = f"95 % after {when:.0f} s" if when is not None else "never at 95 % twice in a row"
        console.print(
            f"{escape(run.run)}: {run.iid_success:.1%} success on held-out levels, "
            f"{run.timesteps:,} steps, {how}, {able}"
        )


def show_plan(console, found, _command):
    """The settings of each run that would be made."""
    for job in found.jobs:
        console.print(f"{escape(str(job.folder))} ({job.config.fingerprint})")
    settings = {**vars(found.jobs[0].config), "ppo": ""} | vars(found.jobs[0].config.ppo)
    table(console, [{"option": k, "value": plain(v)} for k, v in settings.items() if k != "ppo"])


def show_built(console, found, _command):
    """The range of success in each group of a zoo, and where it lies."""
    for group in dict.fromkeys(entry.group for entry in found.entries):
        facts = [entry.facts for entry in found.entries if entry.group == group]
        worst, best = (extreme(f.iid_success for f in facts) for extreme in (min, max))
        console.print(f"{group}: {len(facts)} agents, success on iid {worst:.1%} to {best:.1%}")
    console.print(escape(found.folder))


def show_played(console, found, _command):
    """The outcome in a line."""
    returns = ", ".join(f"{name} {value:g}" for name, value in found.returns.items())
    console.print(f"{found.outcome} after {found.steps} steps: {returns}")


def show_recorded(console, found, _command):
    """A row an agent, then the file."""
    table(console, [{k: v for k, v in row.items() if k != "sha256"} for row in found.agents])
    size = f"{found.num_bytes / 1000:,.1f} kB"
    console.print(f"{escape(found.out)}: {found.format}, {size}, levels {found.split}")


def show_measured(console, found, _command):
    """A row a measurement, without the columns that all of them leave empty."""
    rows = [vars(row) for row in found.rows]
    kept = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    table(console, [{name: row[name] for name in kept} for row in rows])


def show_leaderboard(console, found, _command):
    """The leaderboard, the targets where there are any, and what the labels were."""
    columns = (
        *("detector", "access", "tasks", "auroc", "lower", "upper", "worst_task"),
        *("worst_task_auroc", "hardest_class", "hardest_class_auroc", "best_f1", "tpr_at_1"),
        *("tpr_at_5", "episodes_needed", "seconds"),
    )
    table(console, [{c: row[c] for c in columns} for row in found.tables["detectors"]])
    table(console, found.tables.get("targets", []))
    for task, kinds in found.facts["labels"].items():
        counts = (
            f"{kind} {', '.join(f'{n} {what}' for what, n in c.items())}"
            for kind, c in kinds.items()
        )
        console.print(f"{task}: {'; '.join(counts)}")
    for path in found.files:
        console.print(escape(path))


def show_reproduction(console, found, command):
    """A line an experiment, its files, failed runs and published comparisons."""
    for one in found.experiments:
        hours = f"{one.hours:.2f} CPU hours" if one.hours is not None else ""
        runs = f"{one.points} runs, {one.found} found"
        console.print(f"[bold]{escape(one.experiment)}[/] ({one.budget}): {runs}, {hours}")
        for path in (*one.tables, *one.figures):
            console.print(f"  {escape(path)}")
        for run, error in (one.failed or {}).items():
            console.print(f"  [red]failed[/] {escape(run)}: {escape(error)}")
        table(console, [_comparison_row(row) for row in one.comparisons])
    if command.dry_run:
        hours = sum(one.hours for one in found.experiments)
        console.print(f"new runs would take about {hours:.2f} CPU hours")


def _comparison_row(row):
    ours = f"{row.ours:.3g} [{row.low:.3g}, {row.high:.3g}]"
    verdict = "pass" if row.passed else "miss"
    return {
        "quantity": row.quantity,
        "published": row.published,
        "ours": ours,
        "rule": row.tolerance,
        "": verdict,
        "reason": row.reason,
    }


def show_checked(console, found, _command):
    """A row a mode of the real game."""
    table(console, [vars(mode) for mode in found.modes])


def show_facts(console, found, _command):
    """Any other result: a line a field, the nested ones left to --json."""
    for field in fields(found):
        value = getattr(found, field.name)
        if field.name != "schema" and not isinstance(value, dict) and not is_dataclass(value):
            console.print(f"{field.name.replace('_', ' ')}: {coloured(value)}")


def show_detection(console, found, _command):
    """The report as it describes itself; its first line says who is suspect."""
    for line in str(found).splitlines():
        word, _, rest = line.partition("  ")
        console.print(
            f"{coloured(word)}  {escape(rest)}" if word in VERDICT_COLOURS else escape(line)
        )


def show_monitor(console, found, _command):
    """What was watched against whom, and whether the alarm sounded."""
    console.print(f"watched: {escape(found.watched)}")
    console.print(
        f"trusted: {found.n_reference} reference and {found.n_calibration} calibration policies of "
        f"{found.task}, whose mean {found.detector} stays below {found.ceiling:.3g}"
    )
    mean = "" if found.mean_score is None else f", mean score {found.mean_score:.3g}"
    skipped = f" ({found.skipped} on levels unknown to the trusted)" if found.skipped else ""
    console.print(f"{found.episodes} episodes{skipped}{mean}, e-value {found.e_value:.3g}")
    if found.alarm:
        console.print(f"[red]ALARM[/] after {found.alarm_episode} episodes")
    else:
        limit = f"e-value {found.threshold:.3g}, alpha {found.alpha:g} over the whole watch"
        console.print(f"no alarm (it sounds at {limit})")


SHOW = {
    "MonitorReport": show_monitor,
    "ZooBuild": show_built,
    "TrainReport": show_trained,
    "Plan": show_plan,
    "DemoResult": show_demo,
    "Detection": show_detection,
    "Measured": show_measured,
    "Leaderboard": show_leaderboard,
    "Recorded": show_recorded,
    "PlayResult": show_played,
    "Inventory": show_inventory,
    "Evaluation": show_evaluation,
    "Fields": show_fields,
    "Diagnosis": show_diagnosis,
    "Checked": show_checked,
    "Reproduction": show_reproduction,
}
"""type of a result: function (console, result, command)."""
