"""The source files behind a result, found by reading imports, for cache keys."""

import hashlib
import importlib
import re
import sys
from functools import lru_cache
from pathlib import Path

PACKAGES = ("proxylab", "proxylab_envs")
"""Imports outside these packages are not followed; the key includes their versions."""

IMPORT = re.compile(r"^[ \t]*import ([^\n#]+)", re.MULTILINE)
FROM = re.compile(r"^[ \t]*from ([\w.]+) import (\([^)]*\)|[^\n#]+)", re.MULTILINE)
"""Import statements; to parse a file takes twenty times as long as to search it."""


@lru_cache(maxsize=64)
def source_digest(*modules: str) -> str:
    """Hash of :func:`sources_of` ``modules``: each file's name and bytes."""
    digest = hashlib.sha256()
    for file in sorted(sources_of(*modules)):
        digest.update(Path(file).name.encode() + b"\0" + Path(file).read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def sources_of(*modules: str) -> frozenset[str]:
    """Files of the modules and of all their imports from :data:`PACKAGES`, also in functions.

    A JSON file beside a module and with its name, such as fitted weights, counts as a source.
    """
    files: dict[str, Path | None] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        file = files[name] = _file_of(name)
        waiting += _imported(file) if file else ()
    code = [file for file in files.values() if file]
    data = [file.with_suffix(".json") for file in code]
    return frozenset(map(str, [*code, *(file for file in data if file.is_file())]))


def _file_of(module: str) -> Path | None:
    """The source file of a module, loaded or not; None where the name is no module."""
    package, *rest = module.split(".")
    if package not in PACKAGES:  # a third-party detector or environment: loaded by its user
        loaded = getattr(sys.modules.get(module), "__file__", None)
        return Path(loaded) if loaded else None
    place = _home(package).joinpath(*rest)
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@lru_cache(maxsize=2)
def _home(package: str) -> Path:
    """The folder of one of :data:`PACKAGES`."""
    return Path(str(importlib.import_module(package).__file__)).parent


@lru_cache(maxsize=512)
def _imported(file: Path) -> tuple[str, ...]:
    """Dotted names that a file imports from :data:`PACKAGES`; some name attributes, not modules."""
    text = file.read_text(encoding="utf-8")
    names = [name for match in IMPORT.finditer(text) for name in _first_words(match[1])]
    for module, imported in FROM.findall(text):
        names += [module, *(f"{module}.{name}" for name in _first_words(imported.strip("()")))]
    return tuple(name for name in names if name.split(".")[0] in PACKAGES)


def _first_words(text: str) -> list[str]:
    """The first word between commas: ``a, b as c`` is a and b. Comments are left out."""
    code = re.sub(r"#.*", "", text)
    return [part.split()[0] for part in code.split(",") if part.strip()]
