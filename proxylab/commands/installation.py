"""``proxylab doctor``: what is installed, what is missing, and how to get it."""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCHEMA = "proxylab.doctor/1"
OK, MISSING, BROKEN = "ok", "missing", "broken"

PACKAGES = (
    "proxylab",
    "numpy",
    "numba",
    "scipy",
    "gymnasium",
    "torch",
    "stable-baselines3",
    "safetensors",
    "tyro",
    "rich",
    "duckdb",
    "matplotlib",
    "pillow",
    "platformdirs",
)
"""Required distributions."""

EXTRAS = {
    "app": (("starlette", "uvicorn"), "the page of proxylab app"),
    "human": (("pygame",), "windows for render_mode='human'"),
    "tensorboard": (("tensorboard",), "training curves in TensorBoard"),
    "wandb": (("wandb",), "training curves in Weights & Biases"),
    "tune": (("optuna",), "proxylab tune"),
    "hub": (("huggingface_hub",), "proxylab push and pull"),
    "minari": (("h5py", "minari"), "logs in Minari's HDF5 layout, and Minari itself"),
    "onnx": (("onnxruntime",), "suspects that are ONNX files"),
    "ray": (("ray",), "experiments on many machines"),
    "search": (("ribs",), "the search for triggers of proxylab reproduce trojans"),
    "fuzz": (("atheris",), "longer fuzzing of the readers of files (Linux)"),
    "minigrid": (("minigrid",), "MiniGrid's environments by their ids"),
    "bench": (("minigrid",), "the comparison in proxylab bench envs"),
    "docs": (("sphinx", "myst_parser", "furo"), "building the documentation"),
    "dev": (("pytest", "hypothesis", "nbclient", "ruff"), "the tests"),
}
"""extra: (modules it brings, what it is for)."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: of the checked part.
        status: ``ok``, ``missing`` (an optional part) or ``broken`` (a required part).
        found: version, number or path.
        advice: the remedy; empty when none is needed.
    """

    name: str
    status: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All checks."""

    checks: list[Check]

    @property
    def healthy(self) -> bool:
        """No required part is broken."""
        return all(check.status != BROKEN for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The object that ``doctor --json`` prints."""
        checks = [asdict(check) for check in self.checks]
        return {"schema": SCHEMA, "healthy": self.healthy, "checks": checks}


def doctor() -> Diagnosis:
    """Check the installation and the machine; a :class:`Diagnosis`."""
    checks = [_python(), _processors(), _threads(), *map(_package, PACKAGES)]
    checks += [_extra(name, *extra) for name, extra in EXTRAS.items()]
    return Diagnosis([*checks, _device(), _procgen(), _numba_cache(), _results(), *_zoos()])


def _python() -> Check:
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    advice = "" if fine else "use Python 3.11, 3.12 or 3.13"
    return Check("python", OK if fine else BROKEN, platform.python_version(), advice)


def _processors() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("processors", OK, f"{usable} usable of {os.cpu_count()}, {platform.machine()}")


def _threads() -> Check:
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    set_here = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return Check("threads", OK, ", ".join(set_here) or "chosen by the libraries")


def _package(name: str) -> Check:
    try:
        return Check(name, OK, version(name))
    except PackageNotFoundError:
        return Check(name, BROKEN, "not installed", f"pip install {name}")


def _extra(name: str, modules: tuple[str, ...], purpose: str) -> Check:
    missing = [module for module in modules if find_spec(module) is None]
    if not missing:
        return Check(f"extra {name}", OK, f"{', '.join(modules)} there")
    advice = f"for {purpose}: pip install 'proxylab[{name}]'"
    return Check(f"extra {name}", MISSING, f"{', '.join(missing)} not installed", advice)


def _device() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check("device", BROKEN, f"torch does not load: {error}", "reinstall torch")
    if torch.cuda.is_available():
        return Check("device", OK, f"cuda: {torch.cuda.get_device_name()}")
    return Check("device", OK, f"cpu, {torch.get_num_threads()} threads (no CUDA device)")


def _procgen() -> Check:
    from proxylab_envs.procgen.install import ProcgenMissing, find_library, platform_obstacle

    try:
        return Check("real procgen", OK, str(find_library()))
    except ProcgenMissing as error:
        advice = "" if platform_obstacle() else "proxylab procgen install"
        return Check("real procgen", MISSING, str(error), advice)


def _numba_cache() -> Check:
    """Without a cache every call compiles again, about a minute each time."""
    from proxylab_envs import streams

    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(streams.__file__).parent)
    if _writable(folder):
        return Check("numba cache", OK, str(folder))
    advice = "point NUMBA_CACHE_DIR to a folder that can be written"
    return Check("numba cache", BROKEN, f"{folder} cannot be written", advice)


def _results() -> Check:
    folder = Path(os.environ.get("PROXYLAB_RESULTS") or "results").absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if _writable(existing):
        return Check("results", OK, str(folder))
    advice = "point PROXYLAB_RESULTS to a folder that can be written"
    return Check("results", BROKEN, f"{folder} cannot be written", advice)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _zoos() -> Iterator[Check]:
    from proxylab.agents.zoo import ZOO, zoo_entries
    from proxylab.tasks import TASKS

    for task in TASKS:
        if (ZOO / task / "agents.json").is_file():
            yield Check(f"zoo {task}", OK, f"{len(zoo_entries(task))} agents")
        else:
            advice = f"proxylab zoo build {task} trains them"
            yield Check(f"zoo {task}", MISSING, "no shipped agents", advice)
