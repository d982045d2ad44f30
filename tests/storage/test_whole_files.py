"""Every file that the package writes is whole or not there, read from the syntax trees."""

import ast
import errno
import os
from pathlib import Path

import pytest
from PIL import Image

from proxylab.errors import DiskFullError
from proxylab.plots.animation import write_gif
from proxylab.plots.style import new_figure, save
from proxylab.storage.whole_files import whole_file

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "proxylab").rglob("*.py"))

WRITERS = {"write_text", "write_bytes", "savefig", "to_csv", "to_parquet", "savez", "savetxt"}
"""Methods that write to a path, whatever they belong to."""
SAVERS = ("torch", "np", "numpy", "model", "image", "figure", "small[0]", "picture")
"""What has a method ``save`` that writes a file."""
GET_TEMPORARY = {
    ("proxylab/export/hub.py", "_fetch"),
    ("proxylab/logs/lines.py", "write_lines"),
    ("proxylab/logs/minari.py", "write_minari"),
    ("proxylab/rollouts/stored.py", "add"),
    ("proxylab/screening/cache.py", "_save"),
    ("proxylab/screening/cache.py", "keep"),
}
"""Functions that write to the temporary path that their caller made with ``whole_file``, or in a
temporary folder that nobody else reads."""


def opens_to_write(call):
    """Whether a call of ``open`` (or ``h5py.File``, ``ZipFile``) has a mode that writes."""
    given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
    modes = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return any(set(mode) & set("wax+") for mode in modes)


def writes(call):
    """What a call writes to (source text), or None."""
    name = ast.unparse(call.func)
    owner, _, method = name.rpartition(".")
    first = ast.unparse(call.args[0]) if call.args else ""
    if method in WRITERS:
        return owner if method.startswith("write_") else first
    if name in ("open", "h5py.File", "zipfile.ZipFile", "io.open") and opens_to_write(call):
        return None if first.isdigit() else first  # a number is a descriptor
    if method == "open" and owner not in ("", "os") and call.args:  # Path.open(mode)
        mode = call.args[0]
        if isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+"):
            return owner
    if method == "save" and owner in SAVERS:
        return ast.unparse(call.args[1]) if owner == "torch" else first
    return None


def temporaries(node):
    """Names that ``with whole_file(...) as NAME`` binds in a tree."""
    items = [item for w in ast.walk(node) if isinstance(w, ast.With) for item in w.items]
    return {
        ast.unparse(item.optional_vars)
        for item in items
        if isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func).endswith("whole_file")
        and item.optional_vars is not None
    }


def memory(node):
    """Names bound to an ``io.BytesIO`` or an open file in a tree: these are no paths."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Assign) and ast.unparse(one.value).startswith("io.BytesIO("):
            found |= {ast.unparse(target) for target in one.targets}
        if isinstance(one, ast.withitem) and ast.unparse(one.context_expr).startswith("open("):
            found |= {ast.unparse(one.optional_vars)}
    return found


def direct_writes(source, name):
    """Lines of a module that write to a path that is not a temporary of ``whole_file``."""
    tree, found = ast.parse(source), []
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for function in functions or [tree]:
        if (name, getattr(function, "name", "")) in GET_TEMPORARY:
            continue
        allowed = temporaries(function) | memory(function)
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            target = writes(call)
            if target is not None and target not in allowed and "BytesIO" not in target:
                found.append(f"{name}:{call.lineno}: {ast.unparse(call)[:80]}")
    return found


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_written_in_place(path):
    assert not direct_writes(path.read_text(), str(path.relative_to(ROOT)))


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w').write(text)",
        "open(path, mode='ab')",
        "path.open('w')",
        "path.write_text(text)",
        "figure.savefig(path)",
        "np.savez(path, a=1)",
        "torch.save(state, path)",
        "h5py.File(path, 'w')",
        "frame.to_csv(path)",
    ],
)
def test_the_reader_sees_a_write_in_place(line):
    """Control: each kind of write is found, and is none within ``whole_file``."""
    assert direct_writes(f"def f(path):\n    {line}\n", "x.py")
    whole = f"def f(path):\n    with whole_file(path) as path:\n        {line}\n"
    assert not direct_writes(whole, "x.py")


def test_figures_and_films_are_whole_or_not_there(tmp_path, monkeypatch):
    figure = new_figure(1, 1)
    for path in (tmp_path / "a.png", tmp_path / "a.svg", tmp_path / "a.gif"):
        path.write_text("old")

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DiskFullError, match="the disk is full"):
            save(figure, tmp_path / "a")
        with pytest.raises(DiskFullError, match="the disk is full"):
            write_gif(frames, tmp_path / "a.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png", "a.svg"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}
    png, svg = save(figure, tmp_path / "a")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_bytes().startswith(b"<?xml")
    assert write_gif(frames, tmp_path / "a.gif").read_bytes().startswith(b"GIF89a")


def test_a_full_disk_is_recognised_by_what_a_library_says(tmp_path):
    with pytest.raises(DiskFullError, match="PROXYLAB_RESULTS"), whole_file(tmp_path / "x"):
        raise RuntimeError("Could not write: No space left on device")
    with pytest.raises(RuntimeError, match="something else"), whole_file(tmp_path / "x"):
        raise RuntimeError("something else")
    assert list(tmp_path.iterdir()) == []
