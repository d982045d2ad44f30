"""``proxylab reproduce``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Reproduce:
    """Run experiments: train what is missing, measure, write tables, draw figures.

    Everything that is trained or measured already is found again, so a sweep that was
    stopped goes on where it was. Figures of the laptop budget go to results/tables and
    results/figures, those of the others below results/runs.
    """

    names: Positional[tuple[str, ...]]
    """experiments (proxylab list experiments), or all"""
    budget: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: minutes for all of them; laptop: hours on two cores; paper: days"""
    engine: Literal["local", "ray"] = "local"
    """processes on this machine, or a Ray cluster (RAY_ADDRESS; extra ray)"""
    jobs: int | None = None
    """runs at once; one per processor by default"""
    draw_only: Flag = False
    """draw the figures again from the tables, run nothing"""
    dry_run: Flag = False
    """show how many runs are new and the hours they will take, run nothing"""
    experiments: Path | None = None
    """folder of the experiments; by default experiments/ from here upwards"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Run, draw or count."""
        from proxylab.console import SweepBar
        from proxylab.reproduce.run import reproduce

        with SweepBar() as bar:
            return reproduce(
                self.names,
                self.budget,
                engine=self.engine,
                processes=self.jobs,
                draw_only=self.draw_only,
                dry_run=self.dry_run,
                folder=self.experiments,
                show=bar.begin,
            )

    def code(self, result):
        """1 when a run failed."""
        return int(result.failures > 0)
