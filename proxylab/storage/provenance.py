"""Provenance of a result: commit, versions, machine."""

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("proxylab", "numpy", "numba", "gymnasium", "stable-baselines3", "torch")


def versions() -> dict[str, str | None]:
    """{package: version or None} of Python and the packages that affect results."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@lru_cache(maxsize=64)
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def commit() -> tuple[str | None, bool | None]:
    """(commit, dirty) of the checkout that contains this package; (None, None) outside one."""
    revision = _git("rev-parse", "HEAD")
    if revision is None:
        return None, None
    return revision, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    """The stripped output of git; None without git or a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine() -> dict[str, int | str | None]:
    """Processor, number of cores and operating system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    """The processor's name, where the system provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def provenance_of(seed: int, seconds: float) -> dict[str, Any]:
    """Provenance of a result: commit (None outside a checkout), versions, seed, seconds."""
    return {
        "commit": commit()[0],
        "versions": versions(),
        "seed": seed,
        "seconds": round(seconds, 3),
    }
