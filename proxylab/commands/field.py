"""``proxylab field``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, Device, File, Flag, Seed

if TYPE_CHECKING:
    from proxylab.evaluation.action_fields import Fields


@dataclass(frozen=True)
class Field:
    """Draw action fields: each agent's expected and most probable move in every cell of a maze.

    The agents are of one task; an agent is a run folder, an agent file, zoo:TASK/NAME or
    script:TASK/NAME.
    """

    agents: Positional[tuple[Agent, ...]]
    """the agents, side by side"""
    split: Literal["train", "iid", "shifted"] = "shifted"
    """kind of level"""
    seed: Seed = 0
    """chooses the level"""
    level: File | None = None
    """text file with a level of your own"""
    out: File = Path("field.png")
    """file of the figure, .png or .svg"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Fields":
        """Compute the action probabilities in every cell and draw them."""
        from proxylab.evaluation.action_fields import show_fields

        return show_fields(
            list(self.agents), self.split, self.seed, self.level, self.out, self.device
        )
