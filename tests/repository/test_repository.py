"""The files around the code agree with each other: pins, make targets, CI, the size rules."""

import ast
import os
import re
import tomllib
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


def needed():
    """What ``pip install -e ".[dev]"`` asks for by name."""
    return [Requirement(text) for text in [*PROJECT["dependencies"], *_extra("dev")]]


def _extra(name):
    return PROJECT["optional-dependencies"][name]


@pytest.mark.parametrize("requirement", needed(), ids=str)
def test_every_dependency_has_a_pin_that_it_accepts(requirement):
    version = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


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
