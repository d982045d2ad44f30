"""``proxylab bench``."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine beside the best known alternative, or compare detectors."""

    what: Positional[
        Literal["envs", "statistics", "training", "procgen", "app", "monitor", "detectors"]
    ] = "envs"
    """what to measure"""
    task: str | None = None
    """of bench training and detectors: the task; maze-corner, or all that are contested"""
    seeds: int = 5
    """of bench training: runs of each role"""
    detector: tuple[str, ...] = ()
    """of bench detectors: names, or module:Class or file.py:Class of your own"""
    episodes: int | None = None
    """of bench detectors: levels that every policy plays; 200, or 8 with a smoke budget"""
    seed: int = 0
    """of bench detectors: of levels and action draws"""
    budget: Literal["smoke", "full"] = "full"
    """of bench detectors: a few policies, or all of them"""
    stage: Literal["test", "development"] = "test"
    """of bench detectors: development scores other policies, for choosing settings"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Measure."""
        from proxylab.bench import bench
        from proxylab.console import track

        return bench(
            self.what,
            self.task,
            self.seeds,
            detector=self.detector,
            episodes=self.episodes,
            seed=self.seed,
            budget=self.budget,
            stage=self.stage,
            track=track,
        )
