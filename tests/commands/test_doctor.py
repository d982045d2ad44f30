"""``proxylab doctor`` on a machine that has nothing beyond what is needed."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from proxylab.commands.installation import EXTRAS, PACKAGES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

WITHOUT = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name in {modules!r} else find(name, *rest)
from proxylab.cli import main
sys.exit(main(["doctor", *{options!r}]))
"""


def doctor_without(modules, folder, *options):
    """The doctor in a process in which ``modules`` cannot be imported."""
    code = WITHOUT.format(modules=sorted(modules), options=options)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


def test_it_knows_every_extra_and_every_dependency():
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"])
    needed = {text.split(">")[0] for text in PROJECT["dependencies"]}
    assert set(PACKAGES) == needed | {"proxylab"}


def test_without_any_extra_it_says_what_is_missing_and_how_to_get_it(tmp_path):
    modules = {module for modules, _ in EXTRAS.values() for module in modules}
    done = doctor_without(modules, tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["healthy"], "extras are optional"
    checks = {check["name"]: check for check in result["checks"]}
    for name, (needed, purpose) in EXTRAS.items():
        check = checks[f"extra {name}"]
        assert check["status"] == "missing"
        assert all(module in check["found"] for module in needed)
        assert check["advice"] == f"for {purpose}: pip install 'proxylab[{name}]'"


def test_a_table_for_people_has_the_line_to_type(tmp_path):
    done = doctor_without({"uvicorn"}, tmp_path)
    assert done.returncode == 0
    line = next(line for line in done.stdout.splitlines() if line.startswith("extra app"))
    assert "missing" in line
    assert "uvicorn not installed" in line
    assert "starlette" not in line


def test_without_torch_it_is_broken_and_says_so_without_a_traceback(tmp_path):
    done = doctor_without({"torch"}, tmp_path)
    assert "Traceback" not in done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("device"))
    assert "broken" in line
    assert "torch" in line
