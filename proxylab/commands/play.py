"""``proxylab play``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Play:
    """Play a level with the keyboard (arrows, w a s d or numbers; q quits), or watch an agent.

    Frames go to stderr, the result to stdout. Where there is no terminal, the keys are read
    from stdin.
    """

    task: Positional[str]
    """the task"""
    split: Literal["train", "iid", "shifted"] = "shifted"
    """kind of level"""
    seed: int = 0
    """chooses the level"""
    level: Path | None = None
    """text file with a level of your own (maze-corner)"""
    agent: str | None = None
    """watch this agent instead of playing"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """One episode."""
        from proxylab.evaluation.play import play

        return play(self.task, self.split, self.seed, self.level, self.agent)
