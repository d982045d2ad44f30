"""Who may import whom, read from the syntax trees; and what a plain import loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVS, LAB = ROOT / "envs" / "proxylab_envs", ROOT / "proxylab"

NUMERIC = {"numpy", "scipy", "numba"}
TORCH = {"torch", "stable_baselines3"}


def imports(path):
    """Modules that a file imports anywhere, in functions too: {dotted name}."""
    return imported_by(path.read_text(encoding="utf-8"), path.stem)


def imported_by(source, name="<text>"):
    found = set()
    for node in ast.walk(ast.parse(source, name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def foreign(names):
    """Top-level packages outside the standard library."""
    tops = {name.split(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names)


def part(path):
    """A file's part of the package: ``detection``, ``episodes``, …"""
    return path.relative_to(LAB).parts[0].removesuffix(".py")


def files(folder):
    return sorted(folder.rglob("*.py"))


LAB_FILES = files(LAB)


def ids(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def test_the_reader_sees_imports_in_functions():
    source = "import a.b\ndef f():\n    from c.d import e, g\n"
    assert imported_by(source) == {"a.b", "c.d.e", "c.d.g"}
    assert foreign({"os.path", "numpy.random"}) == {"numpy"}


def test_there_are_files_to_read():
    assert len(files(ENVS)) > 20
    assert {"cli", "episodes", "detection", "statistics", "learning"} <= {
        part(path) for path in LAB_FILES
    }


@pytest.mark.parametrize("path", files(ENVS), ids=ids(files(ENVS)))
def test_environments_import_numpy_numba_gymnasium_only(path):
    allowed = {"numpy", "numba", "gymnasium", "proxylab_envs"}
    if path.name == "window.py":
        allowed |= {"pygame"}  # the optional extra, imported when a window opens
    assert foreign(imports(path)) <= allowed


# What files of a part may import beside the standard library; parts of proxylab by name.
RULES = {
    "seeds": (NUMERIC, {"seeds"}),
    "config": (NUMERIC, {"config", "seeds"}),
    "episodes": (NUMERIC, {"episodes", "seeds", "config"}),
    "metrics": (NUMERIC, {"metrics", "episodes", "statistics", "seeds", "config"}),
    "statistics": (NUMERIC, {"statistics", "seeds"}),
}
RULED = [path for path in LAB_FILES if part(path) in RULES]


@pytest.mark.parametrize("path", RULED, ids=ids(RULED))
def test_the_functional_core_is_numeric_only(path):
    packages, parts = RULES[part(path)]
    names = {n for n in imports(path) if not n.startswith("proxylab_envs.channels.")}  # names only
    assert foreign(names) <= packages | {"proxylab"}
    assert {n.split(".")[1] for n in names if n.startswith("proxylab.")} <= parts | {"errors"}


DETECTION = [path for path in LAB_FILES if part(path) == "detection"]


@pytest.mark.parametrize("path", DETECTION, ids=ids(DETECTION))
def test_detection_sees_what_a_monitor_sees(path):
    names = imports(path)
    allowed = {"detection", "episodes", "statistics", "seeds", "config", "metrics", "errors"}
    assert {n.split(".")[1] for n in names if n.startswith("proxylab.")} <= allowed
    assert "proxylab_envs" not in foreign(names)


def test_torch_stays_in_learning_agents_and_one_detector():
    users = [path for path in LAB_FILES if foreign(imports(path)) & TORCH]
    # doctor sees whether torch loads; bench measures plain SB3 as a peer
    allowed = ("learning", "agents", "doctor", "bench")
    elsewhere = [path for path in users if part(path) not in allowed]
    assert all(part(path) == "detection" for path in elsewhere), ids(elsewhere)
    assert len(elsewhere) <= 1


DRAWING = [path for path in LAB_FILES if part(path) in ("plots", "report")]


@pytest.mark.parametrize("path", DRAWING, ids=ids(DRAWING))
def test_drawing_runs_nothing(path):
    runners = {"learning", "rollout", "evaluation", "agents", "detection", "tasks", "store", "cli"}
    names = imports(path)
    assert not {n.split(".")[1] for n in names if n.startswith("proxylab.")} & runners
    assert "proxylab_envs" not in foreign(names)


def test_only_the_command_line_imports_the_command_line():
    users = [path for path in LAB_FILES if any(n.startswith("proxylab.cli") for n in imports(path))]
    assert {part(path) for path in users} <= {"cli", "__main__"}


@pytest.mark.parametrize("module", ["proxylab", "proxylab.cli"])
def test_a_plain_import_loads_neither_torch_nor_the_environments(module, tmp_path):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & {"torch", "stable_baselines3", "numba", "gymnasium", "matplotlib", "duckdb"}


def test_environments_load_without_the_laboratory(tmp_path):
    code = "import sys, proxylab_envs; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    loaded = set(done.stdout.split())
    assert "proxylab_envs.registry" in loaded
    assert not loaded & {"torch", "stable_baselines3", "proxylab", "pygame"}


def test_only_the_two_packages_are_importable_from_elsewhere(tmp_path):
    code = (
        "import importlib.util as u\n"
        "print(*[bool(u.find_spec(n)) for n in"
        " ('proxylab', 'proxylab_envs', 'envs', 'tests', 'experiments', 'results')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.split() == ["True", "True", "False", "False", "False", "False"]
