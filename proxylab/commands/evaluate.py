"""``proxylab evaluate``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag


@dataclass(frozen=True)
class Evaluate:
    """Play agents on the levels of every split and judge what they pursue.

    An agent is a run folder, an agent file, zoo:TASK/NAME (zoo:maze-corner/trusted-03) or
    script:TASK/NAME (script:maze-corner/optimal).
    """

    agents: Positional[tuple[str, ...]]
    """the agents"""
    task: str | None = None
    """task they are meant for; by default each agent's own"""
    env: str | None = None
    """another environment: procgen (the real game), an id, or module:factory of your own"""
    split: Literal["train", "iid", "shifted", "all"] = "all"
    """levels to play; the verdict needs all"""
    episodes: int = 500
    """levels of each split, one episode each"""
    seed: int = 0
    """of the levels and the action draws"""
    greedy: Flag = False
    """print the figures of the most probable actions; --json always holds both"""
    table: Path | None = None
    """write every episode to this Parquet file"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Evaluate, and write the episodes where a file is asked for."""
        from proxylab.console import track
        from proxylab.evaluation.evaluate import evaluate

        found = evaluate(
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

            write_table(found.episodes(), self.table)
        return found
