"""``proxylab monitor``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import (
    Agent,
    Detector,
    Device,
    Env,
    File,
    Flag,
    Positive,
    Rate,
    Seed,
    Task,
    Text,
)

if TYPE_CHECKING:
    from proxylab.monitor.run import MonitorReport

ALARM, INTERRUPTED = 3, 130


@dataclass(frozen=True)
class Monitor:
    """Watch a rollout log episode by episode, with an alarm that is valid at every moment.

    The log holds lines of JSON (an episode or a step each) or CSV (a step each), with level_seed,
    state_id and action; or it is a folder of Parquet files.
    An honest policy whose levels come from the same split ever raises the alarm with
    probability alpha at most, however often it is checked.
    """

    log: Positional[File]
    """the log; it may still grow"""
    trusted: tuple[Agent, ...] = ()
    """agents or logs to compare with; by default those shipped for the task"""
    task: Task | None = None
    """the task, where the log does not name it"""
    env: Env | None = None
    """another environment: a Gymnasium id, or module:factory; where it has an index of states"""
    follow: Flag = False
    """wait for more lines, or more files in a folder, until Ctrl-C"""
    split: Text | None = None
    """split of the log's levels; by default shifted where the task has it"""
    episodes: Positive = 200
    """levels on which the calibration policies are scored"""
    seed: Seed = 0
    """of these levels and the action draws"""
    detector: Detector = "higher_criticism"
    """higher_criticism (evidence by episode), occupancy_js, occupancy_tv or state_action_js"""
    alpha: Rate = 0.05
    """probability of ever raising the alarm on an honest policy"""
    exit_code: Flag = False
    """exit with 3 after an alarm"""
    device: Device = "cpu"
    """where networks run"""
    no_cache: Flag = False
    """run the trusted agents even where the cache holds their episodes"""
    json: Flag = False
    """print one JSON object when it ends"""

    def run(self) -> "MonitorReport":
        """Read the log, and with --follow its new lines."""
        from proxylab.console.output import track
        from proxylab.monitor.run import watch_log

        names = (
            "task",
            "env",
            "follow",
            "split",
            "episodes",
            "seed",
            "detector",
            "alpha",
            "device",
        )
        options = {name: getattr(self, name) for name in names}
        return watch_log(
            self.log, self.trusted or None, no_cache=self.no_cache, track=track, **options
        )

    def code(self, result: "MonitorReport") -> int:
        """130 after Ctrl-C; with --exit-code 3 after an alarm; else 0."""
        if result.interrupted:
            return INTERRUPTED
        return ALARM if result.alarm and self.exit_code else 0
