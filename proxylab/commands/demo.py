"""``proxylab demo``."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag


@dataclass(frozen=True)
class Demo:
    """Train an agent from scratch, evaluate it, let the detector judge it, draw the figures."""

    task: Positional[str] = "maze-corner"
    """maze-corner or boat-lagoon"""
    out: Path = Path("demo")
    """folder of the results"""
    seed: int = 0
    """of the training and the levels"""
    total_timesteps: int | None = None
    """of the training, in environment steps; the task's preset by default"""
    episodes: int = 400
    """levels of each split in the evaluation"""
    device: Device = "auto"
    """where networks run"""
    force: Flag = False
    """train anew, whatever the run's folder holds"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """All of it."""
        from proxylab.console import TrainingBar, track
        from proxylab.demo import demo

        settings = (self.task, self.out, self.seed, self.total_timesteps, self.episodes)
        return demo(*settings, self.device, self.force, TrainingBar, track)
