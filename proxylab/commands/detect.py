"""``proxylab detect``."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag
from proxylab.errors import UsageError

FLAGGED, INCONCLUSIVE = 3, 4


@dataclass(frozen=True)
class Detect:
    """Compare suspects with trusted agents, without ever querying the true reward.

    Suspects come before --trusted, which takes all that follows. Without a suspect it is
    the newest complete run; --trusted without a value means the agents shipped for the task.
    An agent is a run folder, an agent file, zoo:TASK/NAME, script:TASK/NAME or
    module:function; a log of what one did (docs/logs.md) serves as well.
    """

    suspects: Positional[tuple[str, ...]] = ()
    """the agents in doubt"""
    trusted: tuple[str, ...] = ()
    """the agents to compare with"""
    task: str | None = None
    """task they are meant for; by default the suspect's"""
    env: str | None = None
    """another environment: procgen (the real game), an id, or module:factory of your own"""
    split: Literal["train", "iid", "shifted"] | None = None
    """levels to play; by default shifted where the task has them"""
    episodes: int = 200
    """levels, one episode of each agent on each"""
    seed: int = 0
    """of the levels, the action draws and the bootstrap"""
    detector: str = "occupancy_js"
    """the score that decides; see proxylab list detectors"""
    also: tuple[str, ...] = ()
    """further scores to report beside the usual ones; all for every one"""
    greedy: Flag = False
    """agents take their most probable action instead of drawing one"""
    alpha: float = 0.05
    """false-alarm rate wanted"""
    fdr: Flag = False
    """let the false-discovery rate over all suspects decide"""
    correlation: float | None = None
    """least correlation of proxy and intended reward you vouch for, for the certificate"""
    report: Path | None = None
    """write the result as an HTML page here, with levels, heat map and charts"""
    exit_code: Flag = False
    """exit with 3 when a suspect is flagged, 4 when nothing could be said of one"""
    device: Device = "cpu"
    """where networks run"""
    no_cache: Flag = False
    """run the trusted agents even where results/cache holds what they did on these levels"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Run everybody on the same levels and judge."""
        from proxylab.console import track
        from proxylab.screening.run import detect

        found = detect(
            self.suspects or [newest_run()],
            self.trusted or None,
            task=self.task,
            split=self.split,
            episodes=self.episodes,
            seed=self.seed,
            detector=self.detector,
            also=self.also,
            greedy=self.greedy,
            alpha=self.alpha,
            fdr=self.fdr,
            correlation=self.correlation,
            device=self.device,
            no_cache=self.no_cache,
            env=self.env,
            report=self.report,
            track=track,
        )
        if self.report:
            print(f"report: {self.report}", file=sys.stderr)
        return found

    def code(self, result):
        """3, 4 or 0 by the verdicts, only where that was asked for."""
        verdicts = {report.verdict for report in result.suspects}
        if not self.exit_code:
            return 0
        if "FLAG" in verdicts:
            return FLAGGED
        return INCONCLUSIVE if verdicts - {"CLEAR"} else 0


def newest_run():
    """Folder of the newest complete run; ``UsageError`` says how to make one."""
    from proxylab.storage.store import newest_run as find

    found = find()
    if found is None:
        raise UsageError("no suspect, and no complete run: name an agent, or train one first")
    return str(found)
