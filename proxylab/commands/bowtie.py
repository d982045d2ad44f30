"""``proxylab bowtie``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Task

if TYPE_CHECKING:
    from proxylab.barriers.run import BowTie


@dataclass(frozen=True)
class Bowtie:
    """Show what barriers let through, each and together, from committed tables.

    Threats, preventive barriers, the event, recovery barriers and losses of a task. Nothing is
    run: every number names its table, and the command that makes it.
    """

    task: Positional[Task]
    """the task"""
    out: File | None = None
    """file of a figure, .svg or .png"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "BowTie":
        """Read the tables."""
        from proxylab.barriers.run import bow_tie

        return bow_tie(self.task, out=self.out)
