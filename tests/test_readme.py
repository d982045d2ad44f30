"""Every command of the README runs; a command that this file does not know fails the test.

The quick test gives the long commands a smaller budget (``SMOKE``), the slow one runs them
as they stand. Commands of one test share a folder and run in the README's order, because
they are a story: ``detect`` judges what ``train`` has just made.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHELL_BLOCK = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(r"^```(\w*)\n", re.MULTILINE)

SMOKE = {
    "list": "",
    "train": "--total-timesteps 4096",
    "evaluate": "--episodes 20",
    "detect": "--episodes 20",
    "demo": "--total-timesteps 4096 --episodes 20",
    "bench": "",
    "app": "--no-serve --port 0",  # as it stands it serves until it is interrupted
    "reproduce": "",
}
"""Options that make a verb of ``proxylab`` quick."""


def commands_of(text):
    """Commands in the shell blocks of a Markdown text, comments and prompts removed."""
    commands = []
    for block in SHELL_BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                commands.append(words)
    return commands


COMMANDS = commands_of(README)


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
        value = next(arguments)
        if word == "-c":
            assert (ROOT / value).is_file()
        elif word == "-e":
            extras = re.fullmatch(r"\.(?:\[(.*)\])?", value)[1] or ""
            assert set(filter(None, extras.split(","))) <= set(project["optional-dependencies"])
        else:
            pytest.fail(f"do not know pip's option {word}")


def check_proxylab(words, folder):
    """Runs, says something, and means it."""
    verb, program = words[1], str(Path(sys.executable).with_name("proxylab"))
    done = run_in(folder, [program, *words[1:]])
    assert done.returncode == 0, (
        f"{shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    expected = EXPECTED_OUTPUT[verb]
    assert re.search(expected, done.stdout), f"{shlex.join(words)} printed\n{done.stdout}"
    if verb == "demo":
        pictures = {path.suffix for path in (folder / "demo").rglob("*.*")}
        assert {".png", ".svg", ".gif"} <= pictures


EXPECTED_OUTPUT = {
    "list": "maze-corner",
    "train": r"maze-corner",
    "evaluate": "ok|goal-misgeneralization|proxy-gaming|capability-failure|inconclusive",
    "detect": "FLAG|CLEAR|INCONCLUSIVE|DEGENERATE",
    "demo": "FLAG|CLEAR|INCONCLUSIVE|DEGENERATE",
    "bench": "steps",
    "app": r"http://127\.0\.0\.1:\d+/",
    "reproduce": r"payoff-ratio \(smoke\): 4 runs",
}

RUNNERS = {
    "make": check_make,
    "python3": check_venv,
    ".": check_activation,
    "pip": check_pip,
    "proxylab": check_proxylab,
}


def run_story(folder, commands):
    """Run commands in order, the checkout's experiments beside; each must be known."""
    (folder / "experiments").symlink_to(ROOT / "experiments")
    for words in commands:
        assert words[0] in RUNNERS, f"the README has a command nobody tests: {shlex.join(words)}"
        RUNNERS[words[0]](words, folder)


def with_smoke_budget(words):
    """The same command with options that make it quick; fails for a verb without a budget."""
    if words[0] != "proxylab":
        return words
    assert words[1] in SMOKE, f"the README has a verb nobody tests: {shlex.join(words)}"
    return words + shlex.split(SMOKE[words[1]])


def that_end(words):
    """The same command; one that would serve for ever is told not to."""
    return with_smoke_budget(words) if words[:2] == ["proxylab", "app"] else words


def test_readme_commands_run_with_a_smoke_budget(tmp_path):
    assert ["make", "demo"] in COMMANDS
    assert ["make", "test"] in COMMANDS
    run_story(tmp_path, [with_smoke_budget(words) for words in COMMANDS])


@pytest.mark.slow
def test_readme_commands_run_as_they_stand(tmp_path):
    run_story(tmp_path, [that_end(words) for words in COMMANDS])


def test_an_unknown_command_is_refused(tmp_path):
    text = "```bash\n# a comment\nfortune --of the-day\n```\n"
    with pytest.raises(AssertionError, match="nobody tests: fortune"):
        run_story(tmp_path, commands_of(text))
    with pytest.raises(AssertionError, match="nobody tests"):
        with_smoke_budget(["proxylab", "conjure"])


def test_every_code_block_says_what_it_is():
    languages = ANY_BLOCK.findall(README)[::2]
    assert set(languages) <= {"bash"}, "teach this file to run the others"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "experiments/README.md"])
def test_links_and_pictures_exist(page):
    text = (ROOT / page).read_text()
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [
        t for t in targets if "://" not in t and not (ROOT / page).parent.joinpath(t).exists()
    ]
    assert not missing


def test_the_map_names_what_exists():
    section = README.split("## Where things are")[1]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert rows
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row)
        assert (ROOT / first).exists(), first
        for name in others:
            beside = (ROOT / first.rstrip("/")).parent / name
            assert (ROOT / name).exists() or beside.exists(), name


def test_the_readme_lists_the_tasks_there_are():
    from proxylab.tasks import TASKS

    rows = re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(TASKS)
