"""``proxylab evaluate``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, Device, Env, File, Flag, Positive, Seed, Task

if TYPE_CHECKING:
    from proxylab.evaluation.results import Evaluation


@dataclass(frozen=True)
class Evaluate:
    """Run agents on the levels of every split and decide which goal they pursue.

    An agent is a run folder, an agent file, zoo:TASK/NAME (zoo:maze-corner/trusted-03) or
    script:TASK/NAME (script:maze-corner/optimal).
    """

    agents: Positional[tuple[Agent, ...]]
    """the agents"""
    task: Task | None = None
    """task to run on; by default each agent's own"""
    env: Env | None = None
    """another environment: procgen (the real game), an id, or module:factory of your own"""
    split: Literal["train", "iid", "shifted", "all"] = "all"
    """levels to run on; the verdict needs all"""
    episodes: Positive = 500
    """levels of each split, one episode each"""
    seed: Seed = 0
    """of the levels and the action draws"""
    greedy: Flag = False
    """print the figures of the most probable actions; --json always holds both"""
    table: File | None = None
    """write every episode to this Parquet file"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Evaluation":
        """Evaluate, and write the episodes where --table is given."""
        from proxylab.console.output import track
        from proxylab.evaluation.evaluate import evaluate

        evaluation = evaluate(
            self.agents,
            self.task,
            self.split,
            self.episodes,
            self.seed,
            self.device,
            track,
            self.env,
        )
        if self.table:
            from proxylab.storage.store import write_table

            write_table(evaluation.episodes(), self.table)
        return evaluation
