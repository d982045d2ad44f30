"""``proxylab zoo``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Positive, Text

if TYPE_CHECKING:
    from proxylab.training.zoo_build import ZooBuild


@dataclass(frozen=True)
class Zoo:
    """Train, measure and pack the shipped agents of a task; an interrupted build resumes."""

    action: Positional[Literal["build"]]
    """what to do"""
    task: Positional[Text]
    """the task"""
    kinds: tuple[Text, ...] = ()
    """kinds of agents to build, in addition to existing ones; all of the task's by default"""
    number: Positive | None = None
    """most agents of each kind"""
    total_timesteps: Positive | None = None
    """environment steps of each; those of its kind by default"""
    jobs: Positive | None = None
    """parallel processes; one per processor by default"""
    out: File | None = None
    """folder of the zoo; the package's own by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "ZooBuild":
        """Build."""
        from proxylab.console.output import track
        from proxylab.training.zoo_build import build_zoo

        options = (self.kinds or None, self.number, self.jobs, self.out, track)
        return build_zoo(self.task, *options, total_timesteps=self.total_timesteps)
