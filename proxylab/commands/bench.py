"""``proxylab bench``."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine, beside the best known alternative in the same run."""

    what: Positional[Literal["envs", "statistics", "training", "procgen"]] = "envs"
    """what to measure"""
    task: str = "maze-corner"
    """of bench training: the task"""
    seeds: int = 5
    """of bench training: runs of each role"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Measure."""
        from proxylab.bench import bench

        return bench(self.what, self.task, self.seeds)
