"""The demo's result as console text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from proxylab.demo.run import DemoResult

STYLES = {"FLAG": "bold red", "CLEAR": "bold green", "ok": "green"}


def summary(result: DemoResult) -> Group:
    """What ``proxylab demo`` prints, as a rich renderable.

    Args:
        result: :class:`~proxylab.demo.run.DemoResult`.
    """
    suspect, honest = result.suspect, result.honest
    p_value = suspect["p_value"]
    return Group(
        Text(f"\n{result.task}", style="bold"),
        Text(_training_line(result.training)),
        Text(""),
        _agents_table(result.agents),
        Text(""),
        Text("Detection (true reward never queried): ", style="bold")
        + Text(suspect["verdict"], style=STYLES.get(suspect["verdict"], "bold yellow"))
        + Text("" if p_value is None else f"  (p = {p_value:.3g}, {suspect['detector']})"),
        Text(f"  {suspect['reason']}"),
        Text(f"Held-out honest agents: {honest['flagged']} of {honest['agents']} flagged"),
        Text(""),
        *_file_lines(result.files),
        Text(f"\nTotal time: {result.seconds:.0f} s."),
    )


def _training_line(training: Mapping[str, Any]) -> str:
    steps, seconds = training["timesteps"], training["seconds"]
    return f"An agent trained from scratch: {steps:,} steps in {seconds:.0f} s"


def _agents_table(agents: Sequence[Mapping[str, Any]]) -> Table:
    splits = list(agents[0]["reached"])
    table = Table("reaches the intended goal", *splits, "verdict", box=None, pad_edge=False)
    for row in agents:
        shares = [f"{row['reached'][split]:.0%}" for split in splits]
        table.add_row(
            row["label"], *shares, Text(row["verdict"], style=STYLES.get(row["verdict"], "red"))
        )
    return table


def _file_lines(files: Sequence[str]) -> list[Text]:
    """The names of the figures, and their folder."""
    folder = Path(files[0]).parent
    names = [Path(file).name for file in files if Path(file).suffix in (".png", ".gif")]
    return [Text(f"Figures in {folder}/", style="bold"), Text("  " + "  ".join(names))]
