"""``proxylab zoo``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Zoo:
    """Train, measure and pack the agents that are shipped for a task; goes on where it stopped."""

    action: Positional[Literal["build"]]
    """what to do"""
    task: Positional[str]
    """the task"""
    kinds: tuple[str, ...] = ()
    """kinds of agents to build, beside those that are there; all of the task's by default"""
    number: int | None = None
    """at most so many agents of each kind"""
    total_timesteps: int | None = None
    """environment steps of each; those of its kind by default"""
    jobs: int | None = None
    """processes at once; one a processor by default"""
    out: Path | None = None
    """folder of the zoo; the package's own by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Build."""
        from proxylab.console import track
        from proxylab.training.zoo_build import build_zoo

        options = (self.kinds or None, self.number, self.jobs, self.out, track)
        return build_zoo(self.task, *options, total_timesteps=self.total_timesteps)
