"""Who may import whom, read from the syntax trees; and what a plain import loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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
    assert {"cli", "rollouts", "detection", "statistics", "training"} <= {
        part(path) for path in LAB_FILES
    }


@pytest.mark.parametrize("path", files(ENVS), ids=ids(files(ENVS)))
def test_environments_import_numpy_numba_gymnasium_only(path):
    allowed = {"numpy", "numba", "gymnasium", "proxylab_envs"}
    if path.name == "window.py":
        allowed |= {"pygame"}  # the optional extra, imported when a window opens
    assert foreign(imports(path)) <= allowed


FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("bench",),
    ("app", "demo"),
    ("leaderboard",),
    ("barriers",),
    ("reproduce",),
    ("monitor", "guard", "search"),
    ("screening",),
    ("export",),
    ("training",),
    ("evaluation",),
    ("rewards",),
    ("agents",),
    ("logs",),
    ("untrusted",),
    ("networks",),
    ("report",),
    ("plots",),
    ("detection",),
    ("rollouts",),
    ("environments",),
    ("statistics",),
    ("storage",),
    ("tasks",),
    ("config",),
    ("config_tables",),
    ("console",),
    ("seeds",),
    ("errors",),
)
"""The parts of the package from the top floor down: a part imports its own and lower floors."""

FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def parts_imported(source):
    """Parts of the package that a source imports."""
    return {n.split(".")[1] for n in imported_by(source) if n.startswith("proxylab.")}


def climbs(own, source):
    """Parts that stand on the floor of the part ``own`` or above it, and are imported."""
    return {other for other in parts_imported(source) - {own} if FLOOR[other] <= FLOOR[own]}


@pytest.mark.parametrize("path", LAB_FILES, ids=ids(LAB_FILES))
def test_imports_go_down(path):
    if path != LAB / "__init__.py":  # it names modules as text
        assert not climbs(part(path), path.read_text(encoding="utf-8"))


def test_an_import_that_climbs_is_seen():
    climbing = "def f():\n    from proxylab.evaluation.metrics import summarise\n"
    assert climbs("detection", climbing) == {"evaluation"}
    assert climbs("plots", "from proxylab import report") == {"report"}
    assert not climbs("screening", climbing)


def test_the_floors_are_the_folders():
    folders = {path.name for path in LAB.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in LAB.glob("*.py")} - {"__init__"}
    assert folders | modules == set(FLOOR)
    assert len(modules - {"cli", "__main__"}) <= 6


def late_imports(source):
    """Lines of imports inside functions without a comment on the line or above it."""
    lines = source.splitlines()
    tree = ast.parse(source)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inside = [
        n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    late = {node.lineno: node for node in inside}
    return [number for number, node in sorted(late.items()) if not _explained(lines, node, late)]


def _explained(lines, node, late):
    """Whether a comment stands beside an import, or above the block of imports it is in."""
    first, last = node.lineno, node.end_lineno
    if any("#" in line for line in lines[first - 1 : last]):
        return True
    above = next((k for k in late if k < first and late[k].end_lineno == first - 1), None)
    if above is not None:
        return _explained(lines, late[above], late)
    return lines[first - 2].strip().startswith("#")


LATE = [path for path in LAB_FILES if part(path) != "commands"]  # the folder says why, once


@pytest.mark.parametrize("path", LATE, ids=ids(LATE))
def test_an_import_inside_a_function_says_why(path):
    assert late_imports(path.read_text(encoding="utf-8")) == []


def test_an_import_without_a_reason_is_seen():
    bare = "def f():\n    import a\n    from b import c\n"
    assert late_imports(bare) == [2, 3]
    assert late_imports(bare.replace("import a", "import a  # heavy")) == []
    assert late_imports("def f():\n    # heavy\n    import a\n") == []


DETECTION = [path for path in LAB_FILES if part(path) == "detection"]
MONITOR_SEES = {"detection", "statistics", "seeds", "errors"}
EPISODES = "proxylab.rollouts.episodes"
WRITER = "proxylab.storage.whole_files"  # it reads nothing


def beyond_a_monitor(source):
    """What a source imports of the package that a monitor does not see."""
    names = {n for n in imported_by(source) if n.startswith(("proxylab.", "proxylab_envs"))}
    names = {n for n in names if not f"{n}.".startswith((f"{EPISODES}.", f"{WRITER}."))}
    return {
        n for n in names if not n.startswith("proxylab.") or n.split(".")[1] not in MONITOR_SEES
    }


@pytest.mark.parametrize("path", DETECTION, ids=ids(DETECTION))
def test_detection_sees_what_a_monitor_sees(path):
    assert not beyond_a_monitor(path.read_text(encoding="utf-8"))


def test_a_look_at_the_truth_is_seen():
    assert beyond_a_monitor("from proxylab.rollouts.rollout import Outcomes")
    assert beyond_a_monitor("def f():\n    import proxylab_envs.channels")
    assert not beyond_a_monitor("from proxylab.rollouts.episodes import Episodes")


NUMERIC_PARTS = ("statistics", "seeds", "config", "config_tables", "errors")
NUMERIC_FILES = [path for path in LAB_FILES if part(path) in NUMERIC_PARTS]
NUMERIC_FILES += [LAB / "rollouts" / "episodes.py", LAB / "evaluation" / "metrics.py"]


@pytest.mark.parametrize("path", NUMERIC_FILES, ids=ids(NUMERIC_FILES))
def test_the_functional_core_is_numeric_only(path):
    assert foreign(imports(path)) <= NUMERIC | {"proxylab", "proxylab_envs"}


TORCH_USERS = {
    *("networks", "training", "agents", "untrusted", "export", "monitor", "commands", "bench"),
    "rewards",
}
"""Parts that may import torch or SB3: ``monitor`` for its callback, ``commands`` to see whether
torch loads, ``bench`` to measure plain SB3 as a peer; and one detector."""


def test_torch_stays_in_networks_training_agents_and_one_detector():
    users = [path for path in LAB_FILES if foreign(imports(path)) & TORCH]
    elsewhere = [path for path in users if part(path) not in TORCH_USERS]
    assert ids(elsewhere) == ["proxylab/detection/scores/discriminator.py"]


DRAWING = [path for path in LAB_FILES if part(path) in ("plots", "report")]


@pytest.mark.parametrize("path", DRAWING, ids=ids(DRAWING))
def test_drawing_runs_nothing(path):
    plain = ("proxylab_envs.scenes.", f"{WRITER}.")  # data; and what writes files whole
    names = {n for n in imports(path) if not n.startswith(plain)}
    assert {n.split(".")[1] for n in names if n.startswith("proxylab.")} <= {
        *("plots", "report", "statistics", "errors")
    }
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
