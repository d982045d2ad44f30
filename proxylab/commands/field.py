"""``proxylab field``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag


@dataclass(frozen=True)
class Field:
    """Draw what agents would do from every cell of a maze, sampled and greedy.

    The agents are of one task; an agent is a run folder, an agent file, zoo:TASK/NAME or
    script:TASK/NAME.
    """

    agents: Positional[tuple[str, ...]]
    """the agents, side by side"""
    split: Literal["train", "iid", "shifted"] = "shifted"
    """kind of level"""
    seed: int = 0
    """chooses the level"""
    level: Path | None = None
    """text file with a level of your own"""
    out: Path = Path("field.png")
    """file of the figure, .png or .svg"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Put the mouse on every cell, ask every agent, draw."""
        from proxylab.evaluation.action_fields import show_fields

        return show_fields(
            list(self.agents), self.split, self.seed, self.level, self.out, self.device
        )
