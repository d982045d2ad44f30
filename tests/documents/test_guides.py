"""The guides on extending, followed step by step in a copy of the checkout.

A comment in a page says what a test does with the block below it: create a file, insert the
block below a line of a file, or run its commands. The reader sees the same steps in words.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "extending"
STEP = re.compile(
    r"^( *)<!-- guide: (?P<what>[^\n]*?) -->\n\s*```[^\n]*\n(?P<block>.*?)^\s*```",
    re.MULTILINE | re.DOTALL,
)
PLACES = ("proxylab", "envs", "tests", "docs", "experiments", "pyproject.toml")
PLACES += ("CHANGELOG.md", "results/tables/leaderboard.json")
EXPECTED = {
    "proxylab list": "action_shares|moved_cheese",
    "proxylab layouts": "100,?352",
    "proxylab reproduce": r"moved-cheese \(smoke\): 2 runs",
    "python -m pytest": r"\d+ passed",
}
"""Start of a command: what it prints."""


class Step(NamedTuple):
    """What a guide says to do with a block."""

    what: str
    block: str


def steps_of(page):
    """The steps of a page, in order."""
    return [
        Step(match["what"], textwrap.dedent(match["block"]))
        for match in STEP.finditer(page.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def checkout(tmp_path):
    """A copy of what git tracks, or would track, of this checkout."""
    listed = ["git", "ls-files", "-co", "--exclude-standard", "--", *PLACES]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if ("/zoo/" in name and "maze-corner" not in name) or not (ROOT / name).is_file():
            continue
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    with_compiled_kernels(tmp_path)
    return tmp_path


def with_compiled_kernels(folder):
    """Fill ``numba/`` of the copy: what is compiled here, under the names of its folders.

    Numba names a folder's cache by the folder's path; without this every kernel is compiled anew.
    """
    cache, here = folder / "numba", Path(os.environ.get("NUMBA_CACHE_DIR", ROOT / "none"))
    for source in {file.parent for file in folder.rglob("*.py")}:
        names = [
            f"{source.name}_{hashlib.sha1(str(path).encode()).hexdigest()}"
            for path in (ROOT / source.relative_to(folder), source)
        ]
        if (here / names[0]).is_dir():
            shutil.copytree(here / names[0], cache / names[1])


def follow(step, folder):
    """Do what a step says; the output of its commands."""
    if step.what.startswith("create "):
        path = folder / step.what.removeprefix("create ")
        assert not path.exists()
        path.write_text(step.block, encoding="utf-8")
        return ""
    if step.what == "run":
        return "".join(run(shlex.split(line), folder) for line in step.block.splitlines() if line)
    file, _, below = step.what.removeprefix("in ").partition(" below: ")
    insert(folder / file, below, step.block)
    return ""


def insert(path, below, block):
    """Put a block below the one line that begins with ``below``."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [k for k, line in enumerate(lines) if line.strip().startswith(below)]
    assert len(places) == 1, f"{path.name}: {len(places)} lines begin with {below!r}"
    indent = " " * (len(lines[places[0]]) - len(lines[places[0]].lstrip()))
    lines.insert(places[0] + 1, textwrap.indent(textwrap.dedent(block), indent))
    path.write_text("".join(lines), encoding="utf-8")


def run(words, folder):
    """Run a command in the copy, on its own package; its output, which must be what is expected."""
    program = {"proxylab": [sys.executable, "-m", "proxylab"], "python": [sys.executable]}
    paths = {
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "envs")]),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "PROXYLAB_RESULTS": str(folder / "results"),
    }
    done = subprocess.run(
        [*program.get(words[0], words[:1]), *words[1:]],
        cwd=folder,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    command = shlex.join(words)
    wanted = [text for start, text in EXPECTED.items() if command.startswith(start)]
    assert all(re.search(text, done.stdout) for text in wanted), done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize(
    "name",
    ["detector", "verb", pytest.param("experiment", marks=pytest.mark.slow)],  # compiles
)
def test_what_a_guide_says_works(name, checkout):
    steps = steps_of(GUIDES / f"{name}.md")
    assert len(steps) >= 2
    assert any(follow(step, checkout) for step in steps)


def test_a_step_that_is_left_out_is_noticed(checkout):
    steps = [s for s in steps_of(GUIDES / "verb.md") if not s.what.startswith("in ")]
    with pytest.raises(AssertionError, match="unknown verb"):
        [follow(step, checkout) for step in steps]


def test_a_place_that_is_gone_is_noticed(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(AssertionError, match="0 lines begin with"):
        insert(tmp_path / "a.py", "y =", "z = 2\n")
