"""The sources behind a result are found by reading imports."""

import ast
import importlib
from pathlib import Path

from proxylab.storage import sources
from proxylab.storage.sources import source_digest, sources_of


def names(*modules):
    return {Path(file).name for file in sources_of(*modules)}


def test_imports_are_followed_to_their_end_in_functions_too():
    found = names("proxylab.agents.loading")
    assert {"loading.py", "format.py", "limits.py", "ascii.py"} <= found  # ascii: by two steps
    assert "architectures.py" in found  # imported in a function: torch loads late


def test_what_is_not_imported_is_no_source():
    found = names("proxylab.detection.judge")
    assert not {"rollout.py", "train.py", "cli.py", "tasks.py"} & found
    assert {"judge.py", "occupancy.py", "ensemble.py", "ensemble.json"} <= found


def test_a_name_that_is_no_module_has_no_sources():
    assert not sources_of("proxylab.nothing.here", "nothing_at_all")


def test_a_changed_byte_changes_the_digest(monkeypatch):
    source_digest.cache_clear()
    before = source_digest("proxylab.rollouts.rollout")
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" * (p.name == "episodes.py"))
    source_digest.cache_clear()
    assert source_digest("proxylab.rollouts.rollout") != before
    source_digest.cache_clear()


def test_searching_finds_what_parsing_finds():
    for package in sources.PACKAGES:
        for file in Path(importlib.import_module(package).__file__).parent.rglob("*.py"):
            names = set()
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
                elif isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
            ours = {name for name in names if name.split(".")[0] in sources.PACKAGES}
            assert ours <= set(sources._imported(file)), file
