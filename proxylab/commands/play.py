"""``proxylab play``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, Env, File, Flag, Seed, Task

if TYPE_CHECKING:
    from proxylab.evaluation.play import PlayResult


@dataclass(frozen=True)
class Play:
    """Play a level with the keyboard (arrows, w a s d or numbers; q quits), or watch an agent.

    Frames go to stderr, the result to stdout. Without a terminal, the keys are read from
    stdin.
    """

    task: Positional[Task | None] = None
    """the task; not needed with --env"""
    env: Env | None = None
    """another environment: a Gymnasium id, or module:factory"""
    split: Literal["train", "iid", "shifted"] | None = None
    """kind of level; by default shifted where the task has it"""
    seed: Seed = 0
    """chooses the level"""
    level: File | None = None
    """text file with a level of your own (maze-corner)"""
    agent: Agent | None = None
    """watch this agent instead of playing"""
    record: File | None = None
    """log to which the episode is added, for detect and train --bc.expert (docs/logs.md)"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "PlayResult | None":
        """One episode."""
        from proxylab.evaluation.play import play

        chosen = (self.split, self.seed, self.level, self.agent)
        return play(self.task, *chosen, record=self.record, env=self.env)
