"""The command line: parse, call, print.

A verb is a file in ``commands``; it loads when it is called for, so that
``proxylab --help`` and a typing error answer at once. stdout carries the result and
nothing else.
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

from proxylab.errors import UsageError

VERBS = {
    "list": "show tasks, envs, agents, runs, experiments or detectors",
    "train": "train an agent: a proxy-seeker (default) or a trusted one",
    "evaluate": "play agents on every split and judge what they pursue",
    "detect": "compare suspects with trusted agents, the true reward unseen",
    "record": "run agents and write what they do as a log",
    "monitor": "watch a rollout log as it grows, with an alarm valid at every moment",
    "demo": "train, evaluate, detect and draw, all in one",
    "play": "play a level yourself, or watch an agent play it",
    "app": "open a page of this machine: levels to change, agents to watch",
    "field": "draw what agents would do from every cell of a maze",
    "bench": "measure speed on this machine, or compare detectors",
    "doctor": "check the installation and say what is missing",
    "reproduce": "run an experiment: train, measure, write its tables, draw its figures",
    "procgen": "fetch the real Procgen Maze, or compare our levels with it",
    "zoo": "rebuild the agents that are shipped",
    "import-sb3": "convert a Stable-Baselines3 zip without running what is in it",
}
"""verb: what it does. Verb ``train`` is the class ``Train`` of ``proxylab/commands/train.py``."""

DONE, FAILURE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main(argv=None):
    """Run one command line and return its exit code.

    Args:
        argv: the arguments after the program's name; ``sys.argv`` by default.

    Returns:
        int: 0 done, 1 failure, 2 wrong use, 3 flagged, 4 inconclusive, 130 interrupted.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return DONE
    if argv[0] == "--version":
        print(_version())
        return DONE
    try:
        return _call(argv[0], argv[1:])
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else DONE
    except ValueError as error:  # UsageError among them: they say what is wrong with a value
        return _complain(error, WRONG_USE)
    except KeyboardInterrupt:
        return _complain(f"interrupted; to go on: {resume_line(argv)}", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get("PROXYLAB_TRACEBACK"):
            raise
        hint = "PROXYLAB_TRACEBACK=1 shows where"
        return _complain(f"{type(error).__name__}: {error} ({hint})", FAILURE)


def overview():
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


def _version():
    from importlib.metadata import version  # slow to load: --help does without

    return f"proxylab {version('proxylab')}"


def _call(verb, arguments):
    """Parse, run, print; the exit code."""
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(VERBS)}"
        raise UsageError(f"unknown verb {verb!r}: {hint}")
    command = _parse(verb, arguments)
    with contextlib.redirect_stdout(sys.stderr):
        result = command.run()
    if command.json:
        print(json.dumps(without_nan(result.as_json())))
    else:
        importlib.import_module("proxylab.commands.printing").show(result, command)
    return command.code(result) if hasattr(command, "code") else DONE


def command_of(verb):
    """The dataclass of a verb's options."""
    module = importlib.import_module(f"proxylab.commands.{verb.replace('-', '_')}")
    return getattr(module, verb.title().replace("-", ""))


def _parse(verb, arguments):
    """The verb's dataclass, filled from the arguments; ``UsageError`` in one line."""
    import tyro  # slow to load: --help does without

    command = command_of(verb)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(command, prog=f"proxylab {verb}", args=arguments)
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            raise
        raise UsageError(f"{one_line(complaint.getvalue())}; see proxylab {verb} --help") from None


def one_line(box):
    """What a framed error message says up to its first rule, and what it suggests instead.

    Where stdout is not UTF-8, the frame is no more than a title and a rule below it.
    """
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", row).strip(" │") for row in box.splitlines() if row]
    rows = rows[1:] if rows and rows[0].startswith("╭") else rows[2:]
    rules = [k for k, row in enumerate(rows) if row and set(row) <= set("─-╰╯")] + [len(rows)]
    message = " ".join(rows[: rules[0]])
    hint = rows[rules[0] + 1 : rules[0] + 3]
    if hint and hint[0].startswith("Perhaps you meant"):
        message += "; " + hint[0].lower() + " " + hint[-1]
    return message.rstrip(".")


def without_nan(value):
    """The value with ``None`` for every NaN or infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def resume_line(argv):
    """The command line that goes on where an interrupted one stopped."""
    again = [*argv, "--resume"] if argv[0] == "train" and "--resume" not in argv else argv
    return shlex.join(["proxylab", *again])


def _complain(message, code):
    """One line on stderr, without a stranger's control characters; the exit code."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(message).split()))
    print(f"proxylab: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
