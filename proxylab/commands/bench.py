"""``proxylab bench``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Detector, Flag, Positive, Seed, Task, Text

if TYPE_CHECKING:
    from proxylab.bench.timing import Measured
    from proxylab.leaderboard.run import Leaderboard


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine against the best known alternative, or compare detectors."""

    what: Positional[
        Literal[
            "envs",
            "statistics",
            "training",
            "procgen",
            "app",
            "monitor",
            "rewards",
            "guard",
            "mitigations",
            "logs",
            "detectors",
        ]
    ] = "envs"
    """what to measure"""
    task: Task | None = None
    """of bench training and detectors: the task; by default maze-corner, or all contested ones"""
    seeds: Positive = 5
    """of bench training: runs of each role"""
    limit: Positive = 600
    """of bench training: seconds after which a run is stopped, and counts as not competent"""
    rows: tuple[Positive, ...] = (1_000_000, 10_000_000, 100_000_000)
    """of bench logs: steps in each log; 100,000,000 take 0.2 GB of disk, and 2 GB for a while"""
    folder: Text | None = None
    """of bench logs: where the logs are made and left; by default a temporary folder"""
    detector: tuple[Detector, ...] = ()
    """of bench detectors: names, or module:Class or file.py:Class of your own"""
    episodes: Positive | None = None
    """of bench detectors: levels that every policy runs on; 200, or 8 with a smoke budget"""
    seed: Seed = 0
    """of bench detectors: seed of levels and action draws"""
    budget: Literal["smoke", "full"] = "full"
    """of bench detectors: a few policies, or all of them"""
    stage: Literal["test", "development"] = "test"
    """of bench detectors: development scores other policies, to choose settings"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Measured | Leaderboard":
        """Measure."""
        from proxylab.bench import bench
        from proxylab.console.output import track

        return bench(
            self.what,
            self.task,
            self.seeds,
            self.rows,
            self.folder,
            self.limit,
            detector=self.detector,
            episodes=self.episodes,
            seed=self.seed,
            budget=self.budget,
            stage=self.stage,
            track=track,
        )
