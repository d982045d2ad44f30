"""``proxylab monitor``."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag

ALARM, INTERRUPTED = 3, 130


@dataclass(frozen=True)
class Monitor:
    """Watch a rollout log episode by episode, with an alarm that is valid at every moment.

    The log holds JSON lines, an episode or a step each, with level_seed, state_id and action.
    An honest policy whose levels come from the same split ever raises the alarm with
    probability alpha at most, however often one looks.
    """

    log: Positional[Path]
    """the log; it may still grow"""
    trusted: tuple[str, ...] = ()
    """agents or logs to compare with; by default those shipped for the task"""
    task: str | None = None
    """the task, where the log does not name it"""
    follow: Flag = False
    """wait for more lines, until Ctrl-C"""
    split: str | None = None
    """kind of levels that the log was recorded on; by default shifted where the task has them"""
    episodes: int = 200
    """levels on which the calibration policies are scored"""
    seed: int = 0
    """of these levels and the action draws"""
    detector: str = "occupancy_js"
    """occupancy_js, occupancy_tv or state_action_js"""
    alpha: float = 0.05
    """probability of ever raising the alarm on an honest policy"""
    exit_code: Flag = False
    """exit with 3 when the alarm sounded"""
    device: Device = "cpu"
    """where networks run"""
    no_cache: Flag = False
    """run the trusted agents even where results/cache holds what they did"""
    json: Flag = False
    """print one JSON object when it ends"""

    def run(self):
        """Read what there is, and with --follow what comes."""
        from proxylab.console import track
        from proxylab.monitor.run import watch_log

        names = ("task", "follow", "split", "episodes", "seed", "detector", "alpha", "device")
        options = {name: getattr(self, name) for name in names}
        return watch_log(
            self.log, self.trusted or None, no_cache=self.no_cache, track=track, **options
        )

    def code(self, result):
        """130 after Ctrl-C; 3 after an alarm, only where that was asked for; else 0."""
        if result.interrupted:
            return INTERRUPTED
        return ALARM if result.alarm and self.exit_code else 0
