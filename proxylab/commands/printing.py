"""Results as console text: one function per type of result, all on stdout.

Rich leaves out colour when stdout is no terminal or NO_COLOR is set.
"""

import sys
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from proxylab.commands.next_steps import next_step
from proxylab.commands.printing_barriers import show_bow_tie
from proxylab.commands.printing_monitors import show_guard, show_monitor, show_search
from proxylab.console.output import VERDICT_COLOURS, SafeConsole, coloured, escape, plain, table
from proxylab.console.terminal import visible

if TYPE_CHECKING:
    from proxylab.bench.timing import Measured
    from proxylab.commands.completion import Script
    from proxylab.commands.evaluate import Evaluate
    from proxylab.commands.installation import Diagnosis
    from proxylab.commands.inventory import Inventory
    from proxylab.commands.reproduce import Reproduce
    from proxylab.demo.run import DemoResult
    from proxylab.detection.records import Detection
    from proxylab.environments.procgen_check import Checked
    from proxylab.evaluation.action_fields import Fields
    from proxylab.evaluation.metrics import Return
    from proxylab.evaluation.play import PlayResult
    from proxylab.evaluation.results import Evaluation, SplitResult
    from proxylab.leaderboard.run import Leaderboard
    from proxylab.reproduce.experiment import PublishedComparison
    from proxylab.reproduce.run import Reproduction
    from proxylab.rewards.show import Models, Shown
    from proxylab.screening.record import Recorded
    from proxylab.training.plan import Plan, TrainReport
    from proxylab.training.tuning import TuneReport
    from proxylab.training.zoo_build import ZooBuild
    from proxylab.training.zoo_check import ZooCheck

PIPED_WIDTH = 240
"""Columns where stdout is no terminal, so that no text is cut."""


def show(
    result: Any,
    command: Any,
) -> None:
    """Print a result by its type; ``command`` holds options such as ``greedy``."""
    console = SafeConsole()
    if not console.is_terminal:
        console = SafeConsole(width=PIPED_WIDTH)
    SHOW.get(type(result).__name__, show_facts)(console, result, command)
    following = next_step(result, command)
    if following:
        print(following, file=sys.stderr)


LIST_WIDTH = 100
"""Columns of a list; more only where a word is so long."""


def show_inventory(_console: Console, result: "Inventory", _command: object) -> None:
    """A table of the main columns, wrapped between words, or advice where it is empty."""
    if not result.rows:
        print(result.note, file=sys.stderr)
        return
    rows = [{name: row[name] for name in result.columns or row} for row in result.rows]
    longest = [max(map(_longest_word, (name, *(row[name] for row in rows)))) for name in rows[0]]
    width = max(LIST_WIDTH, sum(longest) + 2 * len(longest))
    table(SafeConsole(width=width), rows)


def _longest_word(value: object) -> int:
    return max((len(word) for word in plain(value).replace("_", " ").split()), default=0)


def show_fields(console: Console, result: "Fields", _command: object) -> None:
    """The path of the figure, and each agent's mean highest action probability."""
    for field in result.fields:
        sure = field.probabilities.max(1).mean()
        text = f"{escape(field.agent)}: its most probable action has {sure:.0%} on average"
        console.print(f"{text}, over {len(field.cells)} cells")
    console.print(escape(result.figure))


def show_evaluation(console: Console, result: "Evaluation", command: "Evaluate") -> None:
    """One table per agent: a row per split, then the verdict."""
    mode = "greedy" if command.greedy else "sampled"
    for agent in result.agents:
        reward = escape(agent.trained_reward)
        console.print(f"[bold]{escape(agent.agent)}[/], trained on {reward}, {mode}")
        table(console, [_split_row(*item, mode) for item in agent.splits.items()])
        console.print(f"{coloured(agent.verdict)}: {escape(agent.reason)}\n")


def _split_row(split: str, result: "SplitResult", mode: str) -> dict[str, Any]:
    """The row of one split; returns also as shares of the optimal return."""
    summary = getattr(result, mode)
    shares = {name: f"{100 * s.share:.1f} %" for name, s in summary.outcomes.items()}
    return {
        "split": split,
        "episodes": result.episodes,
        "true return": _with_ci(summary.true_return),
        "proxy return": _with_ci(summary.proxy_return),
        **shares,
        "proxy first": f"{100 * summary.proxy_first.share:.1f} %",
        "proxy baseline": plain(
            result.proxy_baseline and result.proxy_baseline.true_return.normalised
        ),
    }


def _with_ci(result: "Return") -> str:
    if result.normalised is None or result.normalised_ci is None:
        return f"{result.mean:.2f} (nothing to gain)"
    low, high = result.normalised_ci
    return f"{result.mean:.2f} = {result.normalised:.2f} [{low:.2f}, {high:.2f}]"


def show_diagnosis(console: Console, result: "Diagnosis", _command: object) -> None:
    """One row per check."""
    rows = [
        {"check": c.name, "status": c.status, "found": c.found, "advice": c.advice}
        for c in result.checks
    ]
    table(console, rows)


def show_demo(console: Console, result: "DemoResult", _command: object) -> None:
    """Training, evaluation, verdict and files of the demo."""
    from proxylab.demo.summary import summary

    console.print(summary(result))


def show_trained(console: Console, result: "TrainReport", _command: object) -> None:
    """The folder and the results of each run."""
    for run in result.runs:
        how = "was there already" if run.skipped else f"{run.seconds:.0f} s"
        when = run.seconds_to_competence
        able = f"95 % after {when:.0f} s" if when is not None else "never at 95 % twice in a row"
        console.print(
            f"{escape(run.run)}: {run.iid_success:.1%} success on held-out levels, "
            f"{run.timesteps:,} steps, {how}, {able}"
        )


def show_plan(console: Console, result: "Plan", _command: object) -> None:
    """The folder of each planned run, and the settings."""
    for job in result.jobs:
        console.print(f"{escape(str(job.folder))} ({job.config.fingerprint})")
    settings = {**vars(result.jobs[0].config), "ppo": ""} | vars(result.jobs[0].config.ppo)
    table(console, [{"option": k, "value": plain(v)} for k, v in settings.items() if k != "ppo"])


def show_built(console: Console, result: "ZooBuild", _command: object) -> None:
    """The range of success in each group of a zoo, and its folder."""
    for group in dict.fromkeys(entry.group for entry in result.entries):
        facts = [entry.facts for entry in result.entries if entry.group == group]
        worst, best = (extreme(f.iid_success for f in facts) for extreme in (min, max))
        console.print(f"{group}: {len(facts)} agents, success on iid {worst:.1%} to {best:.1%}")
    console.print(escape(result.folder))


def show_retrained(console: Console, result: "ZooCheck", _command: object) -> None:
    """One line per agent that was trained again, and the number of equal ones."""
    for agent in result.agents:
        word = "same bytes" if agent.equal else f"other bytes: {agent.again[:12]}"
        console.print(f"{agent.agent}: {word} ({escape(agent.command)})")
    count = len(result.agents)
    console.print(f"{count - result.different} of {count} agents: same bytes after training again")
    if result.different:
        console.print(
            "The bytes of convolutions depend on the instruction set that oneDNN takes: with "
            "ONEDNN_MAX_CPU_ISA=AVX2 and another PROXYLAB_RESULTS they may be equal"
        )


def show_played(console: Console, result: "PlayResult", _command: object) -> None:
    """The outcome in a line."""
    returns = ", ".join(f"{name} {value:g}" for name, value in result.returns.items())
    console.print(f"{result.outcome} after {result.steps} steps: {returns}")


def show_recorded(console: Console, result: "Recorded", _command: object) -> None:
    """One row per agent, then the file."""
    table(console, [{k: v for k, v in row.items() if k != "sha256"} for row in result.agents])
    size = f"{result.num_bytes / 1000:,.1f} kB"
    console.print(f"{escape(result.out)}: {result.format}, {size}, levels {result.split}")


def show_measured(console: Console, result: "Measured", _command: object) -> None:
    """One row per measurement, without empty columns."""
    rows = [vars(row) for row in result.rows]
    columns = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    table(console, [{name: row[name] for name in columns} for row in rows])


def show_leaderboard(console: Console, result: "Leaderboard", _command: object) -> None:
    """The leaderboard, its targets if any, and the counts of labels."""
    columns = (
        *("detector", "access", "tasks", "auroc", "lower", "upper", "worst_task"),
        *("worst_task_auroc", "hardest_class", "hardest_class_auroc", "best_f1", "tpr_at_1"),
        *("tpr_at_5", "episodes_needed", "seconds"),
    )
    table(console, [{c: row[c] for c in columns} for row in result.tables["detectors"]])
    table(console, result.tables.get("targets", []))
    for task, kinds in result.facts["labels"].items():
        counts = (
            f"{kind} {', '.join(f'{n} {what}' for what, n in c.items())}"
            for kind, c in kinds.items()
        )
        console.print(f"{task}: {'; '.join(counts)}")
    for path in result.files:
        console.print(escape(path))


def show_reproduction(console: Console, result: "Reproduction", command: "Reproduce") -> None:
    """One line per experiment, its files, failed runs and published comparisons."""
    for one in result.experiments:
        hours = f"{one.hours:.2f} CPU hours" if one.hours is not None else ""
        runs = f"{one.points} runs, {one.found} found"
        console.print(f"[bold]{escape(one.experiment)}[/] ({one.budget}): {runs}, {hours}")
        for path in (*one.tables, *one.figures):
            console.print(f"  {escape(path)}")
        for run, error in (one.failed or {}).items():
            console.print(f"  [red]failed[/] {escape(run)}: {escape(error)}")
        table(console, [_comparison_row(row) for row in one.comparisons])
    if command.dry_run:
        hours = sum(one.hours or 0.0 for one in result.experiments)
        megabytes = max((one.megabytes or 0.0 for one in result.experiments), default=0.0)
        console.print(
            f"new runs would take about {hours:.2f} CPU hours, "
            f"each experiment at most {megabytes:,.0f} MB"
        )


def _comparison_row(row: "PublishedComparison") -> dict[str, Any]:
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


def show_checked(console: Console, result: "Checked", _command: object) -> None:
    """One row per mode of the original game."""
    table(console, [vars(mode) for mode in result.modes])


def show_facts(console: Console, result: Any, _command: object) -> None:
    """Any other result: one line per field; nested fields are in --json only."""
    for field in fields(result):
        value = getattr(result, field.name)
        if field.name != "schema" and not isinstance(value, dict) and not is_dataclass(value):
            console.print(f"{field.name.replace('_', ' ')}: {coloured(value)}")


def show_detection(console: Console, result: "Detection", command: Any) -> None:
    """The detection as text, verdicts in colour."""
    named = [replace(s, agent=visible(s.agent, frozenset())) for s in result.suspects]
    task = visible(result.task, frozenset())
    verbose = getattr(command, "verbose", False)
    for line in replace(result, suspects=named, task=task).text(verbose).split("\n"):
        word, _, rest = line.partition("  ")
        console.print(
            f"{coloured(word)}  {escape(rest)}" if word in VERDICT_COLOURS else escape(line)
        )


def show_reward_model(console: Console, result: "Shown", _command: object) -> None:
    """Facts about the fit, and one row per split and channel."""
    facts = result.training
    accuracy = facts.get("held_out_accuracy")
    fitted = f"{facts.get('answers')} answers, held-out accuracy {accuracy}"
    console.print(f"{escape(result.model)}: {result.task}, {result.members} members, {fitted}")
    rows = [
        {
            "split": row.split,
            "channel": row.channel,
            "prefers the same clip": f"{row.accuracy:.0%} [{row.low:.0%}, {row.high:.0%}]",
            "pairs": row.pairs,
            "EPIC distance": f"{row.epic:.2f}",
        }
        for row in result.agreements
    ]
    table(console, rows)
    if result.figure:
        console.print(escape(result.figure))


def show_reward_models(console: Console, result: "Models", _command: object) -> None:
    """A table of reward models, or advice where there are none."""
    table(console, [{**row, "sha256": row["sha256"][:12]} for row in result.rows])
    if not result.rows:
        print("No reward models yet: proxylab rewards collect, then fit.", file=sys.stderr)


def show_script(_console: Console, result: "Script", _command: object) -> None:
    """The script as it is."""
    print(result.script, end="")


def show_tuned(console: Console, result: "TuneReport", _command: object) -> None:
    """One row per trial, the best first, and the files."""
    rows = [
        {"trial": trial.number or "preset", "objective": trial.value, **trial.ppo}
        for trial in sorted(result.trials, key=lambda trial: -trial.value)
    ]
    table(console, rows)
    console.print(f"objective: {escape(result.objective)}")
    console.print(f"{escape(result.study)}, {escape(result.config)}")


SHOW = {
    "TuneReport": show_tuned,
    "Script": show_script,
    "Shown": show_reward_model,
    "Models": show_reward_models,
    "MonitorReport": show_monitor,
    "GuardReport": show_guard,
    "SearchReport": show_search,
    "BowTie": show_bow_tie,
    "ZooBuild": show_built,
    "ZooCheck": show_retrained,
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
