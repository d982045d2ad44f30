"""``proxylab demo``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import Device, File, Flag, Positive, Seed, Task

if TYPE_CHECKING:
    from proxylab.demo.run import DemoResult


@dataclass(frozen=True)
class Demo:
    """Train an agent from scratch, evaluate it, run the detector on it, draw the figures."""

    task: Positional[Task] = "maze-corner"
    """maze-corner or boat-lagoon"""
    out: File = Path("demo")
    """folder of the results"""
    seed: Seed = 0
    """of the training and the levels"""
    total_timesteps: Positive | None = None
    """of the training, in environment steps; the task's preset by default"""
    episodes: Positive = 400
    """levels of each split in the evaluation"""
    device: Device = "auto"
    """where networks run"""
    force: Flag = False
    """train again even if the run's folder holds a run"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "DemoResult":
        """Run the demo."""
        from proxylab.console.output import TrainingBar, track
        from proxylab.demo import demo

        settings = (self.task, self.out, self.seed, self.total_timesteps, self.episodes)
        return demo(*settings, self.device, self.force, TrainingBar, track)
