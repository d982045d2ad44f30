"""Every function of both packages is annotated, and the type checker finds nothing."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVS, LAB = ROOT / "envs" / "proxylab_envs", ROOT / "proxylab"
FILES = sorted([*ENVS.rglob("*.py"), *LAB.rglob("*.py")])


def bare(source):
    """What lacks an annotation: ``function`` for a return, ``function(name)`` for a parameter."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.returns is None:
            found.append(node.name)
        given = node.args
        several = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        named = [one for one in several if one is not None and one.arg not in ("self", "cls")]
        found += [f"{node.name}({one.arg})" for one in named if one.annotation is None]
    return found


def untyped_arrays(source):
    """Lines that annotate an array without its element type."""
    nodes = [
        n for n in ast.walk(ast.parse(source)) if hasattr(n, "annotation") or hasattr(n, "returns")
    ]
    kinds = [
        k for n in nodes for k in (getattr(n, "annotation", None), getattr(n, "returns", None))
    ]
    inside = [part for kind in kinds if kind for part in ast.walk(kind)]
    return [n.lineno for n in inside if isinstance(n, ast.Attribute) and n.attr == "ndarray"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_function_is_annotated(path):
    source = path.read_text(encoding="utf-8")
    assert bare(source) == []
    assert untyped_arrays(source) == []


def test_the_reader_sees_what_is_missing():
    assert bare("def f(a: int, b, *c, d=1, **e) -> int: ...") == ["f(b)", "f(d)", "f(c)", "f(e)"]
    assert bare("class A:\n    def g(self, x: int): ...") == ["g"]
    assert untyped_arrays("def f(a: np.ndarray) -> NDArray[np.int8]: ...") == [1]


def test_the_packages_say_that_they_are_typed():
    assert (ENVS / "py.typed").is_file()
    assert (LAB / "py.typed").is_file()
    assert len(FILES) > 200


def checked(*paths):
    """What ``ty check`` says of the packages, or of ``paths``: (exit code, text)."""
    beside = Path(sys.executable).with_name("ty")
    ty = str(beside) if beside.exists() else shutil.which("ty")
    assert ty is not None, "ty is not installed: pip install -e '.[dev]'"
    command = [ty, "check", "--output-format", "concise", "--python", sys.prefix, *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_type_checker_finds_nothing():
    code, text = checked()
    assert code == 0, text[-2000:]


def test_the_type_checker_finds_a_mistake(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from proxylab.seeds import stream_seed\n\nstream_seed('a', 1)\n")
    code, text = checked(str(wrong))
    assert code == 1
    assert "invalid-argument-type" in text


IGNORE = "ty: ignore"


def bare_ignores(source):
    """Lines that silence the type checker without a reason behind it."""
    lines = [line.partition(IGNORE)[2] for line in source.splitlines() if IGNORE in line]
    return [rest for rest in lines if "#" not in rest]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_ignore_has_a_reason(path):
    assert bare_ignores(path.read_text(encoding="utf-8")) == []


def test_an_ignore_without_a_reason_is_seen():
    assert bare_ignores("x = 1  # ty: ignore[a]\ny = 2  # ty: ignore[a]  # a stub lacks it\n")
