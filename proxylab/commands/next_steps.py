"""The command that usually follows a result, as one line on stderr."""

import shlex
from collections.abc import Callable
from typing import Any


def next_step(result: Any, command: Any) -> str | None:
    """The line that names the next command after a result.

    None where none is usual, or where a name cannot be printed as it is: it might hold lines
    that look like a verdict.
    """
    words = NEXT.get(type(result).__name__, _none)(result, command)
    line = f"next: {shlex.join(['proxylab', *words])}"
    return line if words and line.isprintable() else None


def _none(_result: Any, _command: Any) -> list[str]:
    return []


def _after_training(result: Any, _command: Any) -> list[str]:
    return ["evaluate", *(run.run for run in result.runs[:5])]


def _after_evaluation(result: Any, command: Any) -> list[str]:
    agents = [agent.agent for agent in result.agents if not agent.agent.startswith("script:")]
    return ["detect", *agents[:5], "--trusted"] if agents and command.env is None else []


def _after_detection(result: Any, command: Any) -> list[str]:
    if getattr(command, "report", None) or all(s.verdict == "CLEAR" for s in result.suspects):
        return []
    trusted = [] if getattr(command, "trusted", None) is None else list(command.trusted)
    suspects = [report.agent for report in result.suspects[:5]]
    return ["detect", *suspects, "--report", "report.html", "--trusted", *trusted]


def _after_import(result: Any, command: Any) -> list[str]:
    return ["evaluate", result.agent, *(["--env", command.env] if command.env else [])]


def _after_pull(result: Any, _command: Any) -> list[str]:
    shown = ["evaluate"] if result.kind == "agent" else ["rewards", "show"]
    return [*shown, result.folder]


NEXT: dict[str, Callable[[Any, Any], list[str]]] = {
    "TrainReport": _after_training,
    "Evaluation": _after_evaluation,
    "Detection": _after_detection,
    "Recorded": lambda result, _command: ["detect", result.out, "--trusted"],
    "Imported": _after_import,
    "TuneReport": lambda result, _command: ["train", result.task, "--config", result.config],
    "Pulled": _after_pull,
    "Collected": lambda result, _command: ["rewards", "fit", result.file],
    "Fitted": lambda result, _command: ["train", result.task, "--reward", f"model:{result.model}"],
}
"""type of a result: function (result, command) -> the words of the next command."""
