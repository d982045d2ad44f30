"""The commands and the code of Markdown texts, run as a reader would run them.

The blocks of one text share a folder and run in the text's order, because they are a
story: ``detect`` judges what ``train`` has just made. A command, a verb or a language that
this file does not know fails the test. Long commands get a smaller budget (``SMOKE``).
"""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:proxylab|python|make) [^`\n]+)`")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

SHELLS = ("bash", "sh", "console")
SHOWN = ("", "text", "toml", "json", "csv")
"""Languages of blocks that are shown and not run."""

SMOKE = {
    "list": "",
    "doctor": "",
    "train": "--total-timesteps 4096 --out results/runs/maze-corner/proxy/seed-0",
    "train-trusted": "--seeds 2 --timesteps 64 --num-envs 2 --episodes 2 --jobs 1 "
    "--min-return -1000 --set n_steps=32 batch_size=64",
    "rewards": "",
    "evaluate": "--episodes 12",
    "detect": "--episodes 6",
    "report": "",
    "completion": "",
    "record": "--episodes 12",
    "guard": "--episodes 12",
    "search": "--budget 256",
    "bowtie": "",
    "export": "",
    "import-sb3": "",
    "demo": "--total-timesteps 4096 --episodes 10",
    "play": "",
    "field": "",
    "bench": "",
    "app": "--no-serve --port 0",  # as it stands it serves until it is interrupted
    "reproduce": "",
}
"""Options that make a verb of ``proxylab`` quick."""

PARSED = (
    *("bench detectors", "bench monitor", "bench logs", "reproduce all", "reproduce hard-track"),
    *("zoo build", "train procgen-pixels"),
)
"""What runs for hours: the command line has to understand it; tests of its own run it."""

EXPECTED_OUTPUT = {
    "list": "maze-corner|occupancy_js",
    "doctor": "python .* ok",
    "train": r"success on held-out levels",
    "train-trusted": "admitted: (?:0, 1|100, 101|200, 201)",
    "rewards": "pairs: |held out accuracy|prefers the same clip|reward model",
    "evaluate": "ok|goal-misgeneralization|proxy-gaming|capability-failure|inconclusive",
    "detect": "FLAG|CLEAR|INCONCLUSIVE|DEGENERATE",
    "report": r"num bytes: \d+",
    "completion": "_proxylab",
    "record": "walk|trusted|suspect|demonstrations",
    "guard": "episodes with help",
    "search": "levels/s",
    "bowtie": "recovery",
    "export": r"num bytes: \d+",
    "import-sb3": "architecture: mlp-tanh",
    "demo": "FLAG|CLEAR|INCONCLUSIVE|DEGENERATE",
    "play": r"after \d+ steps",
    "field": "most probable action",
    "bench": "steps",
    "app": r"http://127\.0\.0\.1:\d+/|page\.html",
    "reproduce": r"\((smoke|laptop|paper)\): \d+ runs",
}
"""What a verb has to print on stdout."""


class Block(NamedTuple):
    """A fenced block of a text."""

    language: str
    text: str


def blocks_of(text):
    """The blocks of a Markdown text in their order; directives (``{note}``) are none."""
    found = [
        Block(match[3].strip(), textwrap.dedent(match[4]))
        for match in FENCE.finditer(COMMENT.sub("", text))
    ]
    return [block for block in found if not block.language.startswith("{")]


def commands_of(text):
    """Commands in the shell blocks of a text, comments and prompts removed: lists of words."""
    shells = [block.text for block in blocks_of(text) if block.language in SHELLS]
    return [words for shell in shells for words in _commands(shell)]


def _commands(shell):
    lines = shell.replace("\\\n", " ").splitlines()
    found = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words for words in found if words]


def inline_commands(text):
    """Commands in a line of a text, without those that leave something open (TASK, …)."""
    commands = INLINE.findall(FENCE.sub("", text))
    return [c for c in commands if not re.search(r"\b[A-Z]{2,}\b|…|\[|\|", c)]


def with_smoke_budget(words):
    """The same command with options that make it quick; fails for a verb without a budget."""
    where = next((k for k, word in enumerate(words) if "=" not in word), 0)
    if words[where] != "proxylab":
        return words
    verb = words[where + 1]
    assert verb in SMOKE, f"there is a verb nobody tests: {shlex.join(words)}"
    ends_by_itself = verb == "app" and "--export" in words
    quick = [] if ends_by_itself else shlex.split(SMOKE[verb])
    if "--out" in quick and "--out" in words:
        quick = quick[: quick.index("--out")]
    return words + quick


def run_in(folder, words):
    """Run a command in ``folder``; its completed process, output captured as text."""
    environment = os.environ | {"PROXYLAB_RESULTS": str(folder / "results"), "NO_COLOR": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def check_make(words, _folder):
    """The target exists and what it would run can be said (``make -n``)."""
    done = run_in(ROOT, [*words, "--dry-run", "--always-make"])
    assert done.returncode == 0, done.stderr
    assert "pip install" in done.stdout, "the target must install what it needs"


def check_venv(words, folder):
    """``python3 -m venv`` makes an environment."""
    assert words[1:] == ["-m", "venv", ".venv"]
    done = run_in(folder, [sys.executable, "-m", "venv", "--without-pip", "there"])
    assert done.returncode == 0, done.stderr
    assert (folder / "there" / "bin" / "activate").exists()


def check_activation(words, _folder):
    """The path is the one that ``python3 -m venv .venv`` makes."""
    assert words == [".", ".venv/bin/activate"]


def check_pip(words, _folder):
    """Options are known, files and extras exist; resolving needs the network and is CI's part."""
    assert words[1] == "install"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    arguments = iter(words[2:])
    for word in arguments:
        if extras := re.fullmatch(r"proxylab(?:\[(.*)\])?", word):
            known_extras(extras[1], project)
        elif word == "-c":
            assert (ROOT / next(arguments)).is_file()
        elif word == "-e":
            known_extras(re.fullmatch(r"\.(?:\[(.*)\])?", next(arguments))[1], project)
        else:
            pytest.fail(f"do not know pip's option {word}")


def known_extras(names, project):
    """Every extra of a comma-separated list (or None) is one of the project's."""
    assert set(filter(None, (names or "").split(","))) <= set(project["optional-dependencies"])


def check_installed(words, folder):
    """The installed program runs, says something, and means it."""
    program = str(Path(sys.executable).with_name("proxylab"))
    done = run_in(folder, [program, *words[1:]])
    assert done.returncode == 0, (
        f"{shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    check_output(words, done.stdout, folder)


def check_called(words, folder):
    """The same in this process, which has loaded already what a new one would load again."""
    from proxylab.cli import main

    if " ".join(words[1:3]) in PARSED:
        return check_parses(words)
    out, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
        code = main(words[1:])
    assert code == 0, f"{shlex.join(words)}\n{out.getvalue()[-2000:]}\n{complaint.getvalue()}"
    return check_output(words, out.getvalue(), folder)


def check_output(words, stdout, folder):
    """What a verb of ``proxylab`` printed is what it has to print."""
    expected = EXPECTED_OUTPUT[words[1]]
    assert re.search(expected, stdout), f"{shlex.join(words)} printed\n{stdout}"
    if words[1] == "demo":
        pictures = {path.suffix for path in (folder / "demo").rglob("*.*")}
        assert {".png", ".svg", ".gif"} <= pictures


RUNNERS = {
    "make": check_make,
    "python3": check_venv,
    ".": check_activation,
    "pip": check_pip,
    "proxylab": check_installed,
}
"""First word of a command: function (words, folder) that runs it."""

IN_PROCESS = RUNNERS | {"proxylab": check_called}
"""The same, quicker: the current folder has to be the story's."""


def run_story(folder, commands, runners=RUNNERS):
    """Run commands in order, the checkout's folders beside; each must be known."""
    link_checkout(folder)
    for words in commands:
        assert words[0] in runners, f"there is a command nobody tests: {shlex.join(words)}"
        runners[words[0]](words, folder)


def link_checkout(folder):
    """Let ``folder`` look like the repository's root to commands that only read it."""
    for name in ("experiments", "docs", "envs"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)


def inside(folder, monkeypatch):
    """Make ``folder`` the current one, with results of its own, for commands in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(folder / "results"))
    monkeypatch.setenv("NO_COLOR", "1")


def run_page(text, folder, monkeypatch, given=""):
    """Run all blocks of a page in order, with a smoke budget and in this process.

    Args:
        text: of the page.
        folder: an empty one.
        monkeypatch: of the test.
        given: code for what the page takes for granted.
    """
    from proxylab.tasks import TASKS

    inside(folder, monkeypatch)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    link_checkout(folder)
    known, names = dict(TASKS), {"__name__": "page"}
    exec(given, names)
    try:
        for block in blocks_of(text):
            run_block(block, folder, monkeypatch, names)
    finally:  # environments of a page's own become tasks
        TASKS.clear()
        TASKS.update(known)


def run_block(block, folder, monkeypatch, names):
    """Run one block; ``names`` is what the code of the page has defined."""
    if block.language in SHELLS:
        commands = [with_smoke_budget(words) for words in _commands(block.text)]
        commands = [_without_settings(words, monkeypatch) for words in commands]
        run_story(folder, commands, IN_PROCESS)
    elif block.language == "python":
        exec(compile(block.text, "<page>", "exec"), names)
    else:
        assert block.language in SHOWN, f"teach this file to run {block.language!r}"


def _without_settings(words, monkeypatch):
    """The command behind ``PYTHONPATH=folder``, which is put into effect."""
    if "=" not in words[0]:
        return words
    name, value = words[0].split("=", 1)
    assert name == "PYTHONPATH", f"do not know the setting {name}"
    monkeypatch.syspath_prepend(value)
    return _without_settings(words[1:], monkeypatch)


def check_inline(command):
    """A command in a sentence exists: its verb and options, its module, its target."""
    words = shlex.split(command)
    if words[0] == "make":
        check_make(words, ROOT)
    elif words[0] == "python":
        module = words[2] if words[1] == "-m" else None
        found = importlib.util.find_spec(module) if module else (ROOT / words[1]).is_file()
        assert found, command
    else:
        check_parses(words)


def check_parses(words):
    """The command line understands the words; a placeholder for a value is a value."""
    from proxylab import cli

    verb = words[1]
    assert verb in cli.VERBS or verb.startswith("-"), shlex.join(words)
    arguments = words[2:]
    bare = not arguments or arguments[-1] == "--help"
    if verb in cli.VERBS and not bare:
        cli._parse(verb, arguments)
