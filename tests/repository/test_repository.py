"""The files around the code agree with each other: pins, make targets, CI, the size rules."""

import ast
import contextlib
import os
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
SOURCES = sorted([*(ROOT / "proxylab").rglob("*.py"), *(ROOT / "envs").rglob("*.py")])


def pins():
    """{package: version} of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def hashed():
    """{package: (version, [SHA-256])} of requirements-ci.txt; a line is one of the two kinds."""
    found = {}
    lines = (ROOT / "requirements-ci.txt").read_text().splitlines()
    for line in [line for line in lines if not line.startswith("#")]:
        if pin := re.fullmatch(r"([\w.-]+)==(\S+) \\", line):
            hashes = []
            assert found.setdefault(canonicalize_name(pin[1]), (pin[2], hashes))[1] is hashes, line
        else:
            hashes.append(re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})(?: \\)?", line)[1])
    return found


def needed():
    """What ``pip install -e ".[dev]"`` asks for by name."""
    return [Requirement(text) for text in [*PROJECT["dependencies"], *_extra("dev")]]


def _extra(name):
    return PROJECT["optional-dependencies"][name]


@pytest.mark.parametrize("requirement", needed(), ids=str)
def test_every_dependency_has_a_pin_that_it_accepts(requirement):
    version = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_the_file_of_hashes_names_the_pinned_versions_and_a_hash_for_each():
    found = hashed()
    assert {package: version for package, (version, _) in found.items()}.items() <= pins().items()
    for package, (_, hashes) in found.items():
        assert hashes, package
        assert len(set(hashes)) == len(hashes), package
    assert "torch" not in found


def test_what_is_installed_by_hashes_is_all_that_is_needed_but_torch():
    """Everything that the dependencies of ``.[dev]`` need in turn is in the file."""
    assert "setuptools" in hashed()  # builds the package, without isolation
    assert closure([requirement.name for requirement in needed()]) <= {*hashed(), "torch"}


def closure(names):
    """Packages that ``names`` need in turn, as far as they are installed here and pinned."""
    found, waiting = set(), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name not in pins():
            continue
        found.add(name)
        with contextlib.suppress(PackageNotFoundError):
            parsed = map(Requirement, requires(name) or ())
            waiting += [r.name for r in parsed if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


WORKFLOWS = sorted((ROOT / ".github").rglob("*.y*ml"))


def unpinned(text):
    """Lines of a workflow that use an action by anything but a full commit and its version."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\buses\b", line)]
    pinned = re.compile(r"(?:- )?uses: [\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    return [line for line in lines if not pinned.fullmatch(line)]


def test_actions_are_pinned_by_commit():
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    assert "actions/checkout@" in text
    assert unpinned(text) == []


@pytest.mark.parametrize(
    "action",
    [
        "actions/checkout@v4",
        "actions/checkout@v4.3.1 # v4.3.1",
        f"actions/checkout@{'a' * 39} # v4.3.1",
        f"actions/checkout@{'a' * 40}",
        "actions/checkout",
        "docker://image:latest",
    ],
)
def test_an_action_that_is_not_pinned_is_found(action):
    assert unpinned(f"steps:\n  - uses: {action}\n")
    assert unpinned(f"steps:\n  - {{uses: {action}}}\n")


def test_workflows_may_only_read():
    for path in WORKFLOWS:
        text = path.read_text()
        assert re.findall(r"permissions:\n((?:  .*\n)+)", text) == ["  contents: read\n"]
        assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_the_notice_of_procgen_is_part_of_the_package():
    assert PROJECT["license-files"] == ["LICENSE", "NOTICE"]
    notice = (ROOT / "NOTICE").read_text()
    assert "Copyright (c) 2019 OpenAI" in notice
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in notice


def test_no_two_test_files_share_a_name():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(set(names)) == len(names)


def test_torch_is_pinned_to_the_version_whose_loader_is_safe():
    assert pins()["torch"] == "2.13.0"


def test_continuous_integration_runs_every_python_that_is_supported():
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text()
    assert tuple(re.findall(r'"(3\.\d+)"', workflow.split("steps:")[0])) == PYTHONS
    low, high = re.fullmatch(r">=(3\.\d+),<(3\.\d+)", PROJECT["requires-python"]).groups()
    assert (low, high) == (PYTHONS[0], "3.14")


def test_the_ci_script_can_run_and_calls_the_same_target_as_people():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert script.read_text().splitlines()[-1] == "make test"


def test_every_target_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    explained = re.findall(r"^([a-z-]+):[^\n]*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, functions):
            assert node.end_lineno - node.lineno < 60, node.name
