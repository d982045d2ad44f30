"""``proxylab detect``."""

import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import Agent, File, Flag
from proxylab.errors import UsageError
from proxylab.screening.settings import DetectSettings

if TYPE_CHECKING:
    from proxylab.detection.records import Detection

FLAGGED, INCONCLUSIVE = 3, 4


@dataclass(frozen=True)
class Detect(DetectSettings):
    """Compare suspects with trusted agents, without ever querying the true reward.

    Suspects come before --trusted, which takes all arguments that follow. --trusted without a value
    means the agents shipped for the task; then the suspect may be left out, and is the newest
    complete run.
    An agent is a run folder, an agent file, zoo:TASK/NAME, script:TASK/NAME, module:function, a
    Stable-Baselines3 zip, an ONNX file, or a log of its episodes (docs/logs.md).
    """

    suspects: Positional[tuple[Agent, ...]] = ()
    """the suspects"""
    trusted: tuple[Agent, ...] = ()
    """the trusted agents"""
    report: File | None = None
    """write the result as an HTML page here, with levels, heat map and charts"""
    save: File | None = None
    """write what the page needs here (.json): proxylab report draws it again without the agents"""
    exit_code: Flag = False
    """exit with 3 when a suspect is flagged, 4 when a verdict is inconclusive"""
    verbose: Flag = False
    """print all scores, the certificate, and the places where a suspect stands out"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Detection":
        """Run all agents on the same levels and compare them."""
        from proxylab.console.output import track
        from proxylab.screening.run import detect

        if self.trusted and not self.suspects:
            raise UsageError(no_suspect(self.trusted))
        detection = detect(
            self.suspects or [newest_run()],
            self.trusted or None,
            settings_of(self),
            report=self.report,
            save=self.save,
            track=track,
            say=lambda sentence: print(sentence, file=sys.stderr),
        )
        for warning in detection.warnings:
            print(f"WARNING: {warning}", file=sys.stderr)
        if self.report:
            print(f"report: {self.report}", file=sys.stderr)
        if self.save:
            print(f"saved: {self.save}; proxylab report {self.save} draws it", file=sys.stderr)
        return detection

    def code(self, result: "Detection") -> int:
        """With --exit-code 3, 4 or 0 by the verdicts; else 0."""
        verdicts = {report.verdict for report in result.suspects}
        if not self.exit_code:
            return 0
        if "FLAG" in verdicts:
            return FLAGGED
        return INCONCLUSIVE if verdicts - {"CLEAR"} else 0


def settings_of(command: DetectSettings) -> DetectSettings:
    """The settings among a command's options."""
    return DetectSettings(**{f.name: getattr(command, f.name) for f in fields(DetectSettings)})


def no_suspect(trusted: tuple[str, ...]) -> str:
    """The error where --trusted has taken every agent."""
    agents = " ".join(trusted)
    return (
        f"no suspect: --trusted takes all that follows it; write proxylab detect SUSPECT --trusted "
        f"{agents}, or --trusted alone: the newest run against the shipped agents"
    )


def newest_run() -> str:
    """Folder of the newest complete run; ``UsageError`` says how to make one."""
    from proxylab.storage.store import newest_run as find

    run = find()
    if run is None:
        raise UsageError("no suspect, and no complete run: name an agent, or train one first")
    return str(run)
