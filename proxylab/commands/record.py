"""``proxylab record``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag


@dataclass(frozen=True)
class Record:
    """Run agents and write what they do as a log, which detect and monitor read.

    With the same --split, --episodes and --seed as detect, a log gives the scores that its
    agents give. docs/logs.md describes the columns.
    """

    agents: Positional[tuple[str, ...]]
    """the agents; several go into one log"""
    out: Path
    """the log; its ending decides the format: .parquet, .jsonl, .csv, .hdf5 (Minari's layout)"""
    task: str | None = None
    """task they are meant for; by default the agents'"""
    env: str | None = None
    """another environment: procgen, an id, or module:factory of your own; see docs"""
    split: Literal["train", "iid", "shifted"] | None = None
    """levels to play; by default shifted where the task has them"""
    episodes: int = 200
    """levels, one episode of each agent on each"""
    seed: int = 0
    """of the levels and the action draws"""
    greedy: Flag = False
    """agents take their most probable action instead of drawing one"""
    probabilities: bool = True
    """write the action probabilities too, for the detectors that need them"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Run and write."""
        from proxylab.console import track
        from proxylab.screening.record import record

        names = ("out", "task", "split", "episodes", "seed", "greedy", "probabilities", "device")
        options = {name: getattr(self, name) for name in names}
        return record(self.agents, env=self.env, track=track, **options)
