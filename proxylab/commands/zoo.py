"""``proxylab zoo``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Positive, Task, Text
from proxylab.errors import UsageError

if TYPE_CHECKING:
    from proxylab.training.zoo_build import ZooBuild
    from proxylab.training.zoo_check import ZooCheck


@dataclass(frozen=True)
class Zoo:
    """Train, measure and pack the shipped agents of a task, or train samples of them again."""

    action: Positional[Literal["build", "check"]]
    """build: train, measure and pack, finished runs are kept; check: train some of each kind again
    and compare their bytes; those of convolutions depend on the instruction set that oneDNN takes,
    so agents from a machine without AVX-512 need ONEDNN_MAX_CPU_ISA=AVX2"""
    task: Positional[Task]
    """the task"""
    kinds: tuple[Text, ...] = ()
    """kinds of agents; all of the task's by default. Agents of other kinds stay"""
    number: Positive | None = None
    """most agents of each kind; check: 3 by default"""
    total_timesteps: Positive | None = None
    """of build: environment steps of each; those of its kind by default"""
    jobs: Positive | None = None
    """parallel processes; one per processor by default"""
    out: File | None = None
    """folder of the zoo; the package's own by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "ZooBuild | ZooCheck":
        """Build or check."""
        from proxylab.console.output import track
        from proxylab.training.zoo_build import build_zoo
        from proxylab.training.zoo_check import SAMPLES, check_zoo

        kinds = self.kinds or None
        if self.action == "check":
            if self.total_timesteps is not None:
                raise UsageError("--total-timesteps is of build: check trains as recorded")
            return check_zoo(self.task, kinds, self.number or SAMPLES, self.jobs, self.out, track)
        options = (kinds, self.number, self.jobs, self.out, track)
        return build_zoo(self.task, *options, total_timesteps=self.total_timesteps)

    def code(self, result: "ZooBuild | ZooCheck") -> int:
        """1 where an agent that was trained again differs; else 0."""
        different: int = getattr(result, "different", 0)  # a build has none
        return int(different > 0)
