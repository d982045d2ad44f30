"""``proxylab record``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, Device, Env, File, Flag, Positive, Seed, Task

if TYPE_CHECKING:
    from proxylab.screening.record import Recorded


@dataclass(frozen=True)
class Record:
    """Run agents and write their episodes as a log, which detect and monitor read.

    With the same --split, --episodes and --seed as detect, a log gives the same scores as
    its agents. docs/logs.md describes the columns.
    """

    agents: Positional[tuple[Agent, ...]]
    """the agents; all go into one log"""
    out: File
    """the log; its ending decides the format: .parquet, .jsonl, .csv, .hdf5; or minari:NAME-v0"""
    task: Task | None = None
    """task to run on; by default the agents'"""
    env: Env | None = None
    """another environment: procgen, an id, or module:factory of your own; see docs"""
    split: Literal["train", "iid", "shifted"] | None = None
    """levels to run on; by default shifted where the task has it"""
    episodes: Positive = 200
    """levels, one episode of each agent on each"""
    seed: Seed = 0
    """of the levels and the action draws"""
    greedy: Flag = False
    """agents take their most probable action instead of drawing one"""
    probabilities: bool = True
    """leave out the action probabilities, which some detectors need"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Recorded":
        """Run and write."""
        from proxylab.console.output import track
        from proxylab.screening.record import record

        names = ("out", "task", "split", "episodes", "seed", "greedy", "probabilities", "device")
        options = {name: getattr(self, name) for name in names}
        return record(self.agents, env=self.env, track=track, **options)
