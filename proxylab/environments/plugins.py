"""User code, named ``module:attribute`` or ``path/to/file.py:attribute``."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from proxylab.errors import UsageError

KINDS = ("zoo", "script", "mix")
"""Prefixes of other references: ``zoo:``, ``script:``, ``mix:``."""


def is_reference(text: str) -> bool:
    """Whether a text names an attribute of a module or of a Python file."""
    module, colon, attribute = str(text).rpartition(":")
    named = module.endswith(".py") or all(part.isidentifier() for part in module.split("."))
    return bool(colon) and named and attribute.isidentifier() and module not in KINDS


def short_name(reference: str) -> str:
    """``own_env:make`` for ``path/to/own_env.py:make``; other references unchanged."""
    module, _, attribute = reference.rpartition(":")
    return f"{Path(module).stem if module.endswith('.py') else module}:{attribute}"


def load_own(reference: str) -> Any:  # what it names is up to the user: a class, a function
    """The attribute that a reference names. This runs the module's code.

    Modules are searched for on Python's path and in the current folder.

    Raises:
        UsageError: there is no such module or attribute, or importing it fails.
    """
    module, _, attribute = reference.rpartition(":")
    try:
        loaded = _from_file(Path(module)) if module.endswith(".py") else _from_path(module)
    except Exception as error:  # any exception of the user's module becomes one line
        kind = type(error).__name__
        raise UsageError(f"{reference}: cannot import {module}: {kind}: {error}") from None
    if not hasattr(loaded, attribute):
        raise UsageError(f"{reference}: {module} has no {attribute}")
    return getattr(loaded, attribute)


def _from_path(module: str) -> ModuleType:
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        return importlib.import_module(module)
    finally:
        if added:
            sys.path.remove(here)


def _from_file(path: Path) -> ModuleType:
    """The module of a file, loaded once per process."""
    path = path.resolve()
    name = f"proxylab_own_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {path.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
