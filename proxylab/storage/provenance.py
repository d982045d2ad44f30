"""Where a result comes from: commit, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("proxylab", "numpy", "numba", "gymnasium", "stable-baselines3", "torch")


def versions():
    """{package: version or None} of Python and what results depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def commit():
    """(commit, dirty) of the checkout this package lies in; (None, None) outside of one."""
    found = _git("rev-parse", "HEAD")
    if found is None:
        return None, None
    return found, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments):
    """What git prints, stripped; None without git or a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine():
    """Processor, number of cores and operating system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor():
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
