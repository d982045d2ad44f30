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
    trusted: int | None = None
    """trusted agents: a quarter reference, the rest calibration"""
    honest: int | None = None
    """honest agents, held out"""
    proxy: int | None = None
    """agents that pursue the proxy"""
    total_timesteps: int | None = None
    """environment steps of each; the task's presets by default"""
    jobs: int | None = None
    """processes at once; one a processor by default"""
    out: Path | None = None
    """folder of the zoo; the package's own by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Build."""
        from proxylab.printing import track
        from proxylab.zoo_build import build_zoo, default_numbers

        asked = {"trusted": self.trusted, "honest": self.honest, "proxy": self.proxy}
        given = {kind: number for kind, number in asked.items() if number is not None}
        numbers = default_numbers(self.task) | given
        return build_zoo(
            self.task, numbers, self.jobs, self.out, track, total_timesteps=self.total_timesteps
        )
