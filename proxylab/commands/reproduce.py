"""``proxylab reproduce``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Detector, Experiment, File, Flag, Positive

if TYPE_CHECKING:
    from proxylab.reproduce.run import Reproduction


@dataclass(frozen=True)
class Reproduce:
    """Run experiments: train what is missing, measure, write tables, draw figures.

    Results are cached; an interrupted sweep resumes. Tables and figures of the laptop budget
    go to results/tables and results/figures, those of the others below results/runs.
    """

    names: Positional[tuple[Experiment, ...]]
    """experiments (proxylab list experiments), or all"""
    budget: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: minutes for all of them; laptop: hours on two cores; paper: days"""
    engine: Literal["local", "ray"] = "local"
    """processes on this machine, or a Ray cluster (RAY_ADDRESS; extra ray)"""
    jobs: Positive | None = None
    """parallel runs; one per processor by default"""
    draw_only: Flag = False
    """draw the figures again from the tables, run nothing"""
    dry_run: Flag = False
    """show the number of new runs and their estimated hours, run nothing"""
    detector: tuple[Detector, ...] = ()
    """detectors of your own, module:Class or file.py:Class, besides the experiment's"""
    experiments: File | None = None
    """folder of the experiments; by default experiments/ from here upwards, else those installed"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Reproduction":
        """Run, draw or count."""
        from proxylab.console.output import SweepBar
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
                detectors=self.detector,
                show=bar.begin,
            )

    def code(self, result: "Reproduction") -> int:
        """1 when a run failed."""
        return int(result.failures > 0)
