"""The command line: parse, call, print.

Each verb is a module in ``commands`` and loads only when it runs, so ``proxylab --help`` and
usage errors are fast. stdout carries only the result.
"""

import contextlib
import difflib
import importlib
import io
import json
import math
import os
import re
import shlex
import sys
from typing import Any

import proxylab
from proxylab.console.terminal import any_encoding, open_standard_streams, safe_streams
from proxylab.console.terminal import one_line as as_line
from proxylab.errors import DiskFullError, UsageError
from proxylab.storage.whole_files import is_full

VERBS = {
    "list": "show tasks, envs, agents, runs, experiments or detectors",
    "train": "train an agent: a proxy-seeker (default) or a trusted one",
    "train-trusted": "train many agents of any Gymnasium environment, for detect --trusted",
    "rewards": "learn a reward from comparisons: collect, fit, show",
    "evaluate": "run agents on every split and determine what they pursue",
    "detect": "compare suspects with trusted agents, without the true reward",
    "record": "run agents and write their rollouts to a log",
    "monitor": "watch a rollout log as it grows, with an alarm valid at every moment",
    "demo": "train, evaluate, detect and draw, all in one",
    "play": "play a level yourself, or watch an agent play it",
    "app": "open a local page: edit levels, watch agents",
    "field": "draw the actions of agents in every cell of a maze",
    "bench": "measure speed on this machine, or compare detectors",
    "doctor": "check the installation and list what is missing",
    "reproduce": "run an experiment: train, measure, write its tables, draw its figures",
    "procgen": "fetch the real Procgen Maze, or compare our levels with it",
    "zoo": "rebuild the shipped agents",
    "import-sb3": "convert a Stable-Baselines3 zip without running code in it",
    "export": "write an agent as a Stable-Baselines3 zip or an ONNX file",
}
"""verb: summary. Verb ``train`` is the class ``Train`` of ``proxylab/commands/train.py``."""

GENERAL = ("-h", "--help", "--version")
"""Options without a verb."""

DONE, FAILURE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: the arguments after the program's name; ``sys.argv`` by default.

    Returns:
        int: 0 done, 1 failure, 2 wrong use, 3 flagged, 4 inconclusive, 130 interrupted.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    open_standard_streams()
    with any_encoding():
        return _answer(argv)


def _answer(argv: list[str]) -> int:
    """Run one command line; report any error as one line on stderr."""
    try:
        code = _general(argv) if not argv or argv[0] in GENERAL else _call(argv[0], argv[1:])
        sys.stdout.flush()
        return code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else DONE
    except ValueError as error:  # such as UsageError; the message says what is wrong
        return _complain(error, WRONG_USE)
    except KeyboardInterrupt:
        return _complain(f"interrupted; to go on: {resume_line(argv)}", INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()
        return DONE
    except Exception as error:
        return _failed(error)


def _general(argv: list[str]) -> int:
    """Print the overview or the version."""
    print(_version() if argv and argv[0] == "--version" else overview())
    return DONE


def _drop_stdout() -> None:
    """Redirect stdout to the null device, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: Exception) -> int:
    """Report an unexpected error in one line; its exit code."""
    if is_full(error):
        try:
            sys.stdout.flush()
        except OSError:  # stdout itself is full
            _drop_stdout()
        disk_error = error if isinstance(error, DiskFullError) else DiskFullError()
        return _complain(disk_error, FAILURE)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return _complain(f"{os.fsdecode(error.filename)}: {error.strerror}", WRONG_USE)
    if os.environ.get("PROXYLAB_TRACEBACK"):
        raise error
    if isinstance(error, MemoryError):
        return _complain("there is not enough memory for this", FAILURE)
    hint = "PROXYLAB_TRACEBACK=1 shows where"
    return _complain(f"{type(error).__name__}: {error} ({hint})", FAILURE)


def overview() -> str:
    """The text of ``proxylab --help``."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items()]
    return "\n".join(
        [
            "usage: proxylab VERB [OPTIONS]",
            "",
            "A laboratory for goal misgeneralization and proxy gaming.",
            "",
            *lines,
            "",
            "proxylab VERB --help explains the options of a verb; --json prints one JSON object.",
            "First steps: proxylab train maze-corner, then proxylab detect --trusted",
        ]
    )


def _version() -> str:
    return f"proxylab {proxylab.__version__}"


def _call(verb: str, arguments: list[str]) -> int:
    """Parse, run, print; the exit code."""
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(VERBS)}"
        raise UsageError(f"unknown verb {verb!r}: {hint}")
    command = _parse(verb, arguments)
    with safe_streams():
        with contextlib.redirect_stdout(sys.stderr):
            result = command.run()
        if command.json:  # ASCII; DEL is the one control character that JSON does not escape
            print(json.dumps(without_nan(result.as_json())).replace("\x7f", "\\u007f"))
        else:
            importlib.import_module("proxylab.commands.printing").show(result, command)
    return command.code(result) if hasattr(command, "code") else DONE


def command_of(verb: str) -> type:
    """The dataclass with the options of a verb."""
    module = importlib.import_module(f"proxylab.commands.{verb.replace('-', '_')}")
    return getattr(module, verb.title().replace("-", ""))


def _parse(verb: str, arguments: list[str]) -> Any:
    """The verb's dataclass, filled from the arguments; ``UsageError`` in one line."""
    import tyro  # slow to load; --help does not need it

    command = command_of(verb)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            config = (tyro.conf.FlagCreatePairsOff,)
            return tyro.cli(command, prog=f"proxylab {verb}", args=arguments, config=config)
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            raise
        raise UsageError(f"{one_line(complaint.getvalue())}; see proxylab {verb} --help") from None


def one_line(box: str) -> str:
    """The text of a framed error message up to its first rule, with any suggestion.

    Where stdout is not UTF-8, the frame is only a title and a rule below it.
    """
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", row).strip(" │") for row in box.splitlines() if row]
    rows = rows[1:] if rows and rows[0].startswith("╭") else rows[2:]
    rules = [k for k, row in enumerate(rows) if row and set(row) <= set("─-╰╯")] + [len(rows)]
    message = " ".join(rows[: rules[0]])
    message = re.sub(r": no type matching .*\)\]: ", ": ", message)  # of an option that may be None
    hint = rows[rules[0] + 1 : rules[0] + 3]
    if hint and hint[0].startswith("Perhaps you meant"):
        message += "; " + hint[0].lower() + " " + hint[-1]
    return message.rstrip(".")


def without_nan(value: Any) -> Any:
    """The value with ``None`` for every NaN or infinity, which JSON cannot represent."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def resume_line(argv: list[str]) -> str:
    """The command line that resumes an interrupted one."""
    again = [*argv, "--resume"] if argv[0] == "train" and "--resume" not in argv else argv
    return shlex.join(["proxylab", *again])


def _complain(message: object, code: int) -> int:
    """Print one line to stderr, control characters escaped; returns the exit code."""
    print(f"proxylab: {as_line(message, 1_000)}", file=sys.stderr)
    return code
