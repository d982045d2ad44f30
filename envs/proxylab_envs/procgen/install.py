"""Locating and downloading the native library of Procgen 0.10.7.

pip downloads the original wheel. Its checksum is compared with the pinned one, and its library
and assets are unpacked into the user's cache. The library does not depend on the Python
version, so the wheel is not installed.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "0.10.7"
SHA256 = "4b594d14e42f0f2166e59a9e294477b906eb99c90c3343b570b7124cbc865f53"
LIBRARY = Path("procgen/data/prebuilt/libenv.so")
ASSETS = Path("procgen/data/assets")
KEPT = ("procgen/data/", "procgen.libs/")
"""Parts of the wheel that are unpacked: the library, its assets, and the linked libraries."""

PIP_TAGS = ("--python-version", "3.10", "--implementation", "cp", "--abi", "cp310")
PIP_PLATFORM = ("--platform", "manylinux2014_x86_64")
ENVIRONMENT = "PROXYLAB_PROCGEN"
"""Environment variable with a folder that holds ``procgen/data``."""


class ProcgenMissing(ValueError):
    """The original game is not available; the message says what to do."""


def platform_obstacle() -> str | None:
    """The reason why the original game cannot run on this platform; None if it can."""
    if sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64"):
        return None
    here = f"{platform.system()} on {platform.machine()}"
    return f"the real Procgen exists for Linux on x86-64 only, this is {here}"


def cache_folder() -> Path:
    """Target folder of :func:`install`: in ``PROXYLAB_CACHE``, or in the user's cache folder.

    The game exists for Linux only, so the rule is that of the XDG base directories.
    """
    user = os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache"
    root = os.environ.get("PROXYLAB_CACHE") or Path(user) / "proxylab"
    return Path(root) / f"procgen-{VERSION}"


def find_library(folder: str | Path | None = None) -> Path:
    """Folder that holds ``procgen/data``: the given one, an installed procgen, or the cache.

    Raises:
        ProcgenMissing: not found.
    """
    obstacle = platform_obstacle()
    if obstacle:
        raise ProcgenMissing(obstacle)
    named = folder or os.environ.get(ENVIRONMENT)
    if named:
        if not (Path(named) / LIBRARY).is_file():
            raise ProcgenMissing(f"{named} holds no {LIBRARY}")
        return Path(named)
    for candidate in (_installed(), cache_folder()):
        if candidate is not None and (candidate / LIBRARY).is_file():
            return candidate
    raise ProcgenMissing("the real Procgen is not installed here: proxylab procgen install")


def _installed() -> Path | None:
    """Parent folder of an installed ``procgen`` package of the pinned version (not imported)."""
    spec = importlib.util.find_spec("procgen")
    if spec is None or not spec.origin:
        return None
    folder = Path(spec.origin).parent.parent
    return folder if list(folder.glob(f"procgen-{VERSION}.dist-info")) else None


def install(wheel: str | Path | None = None) -> Path:
    """Unpack the library into the cache, from a local wheel or one downloaded by pip.

    Args:
        wheel: path of ``procgen-0.10.7-cp310-…-x86_64.whl``; downloaded by default.

    Returns:
        Path of the folder.

    Raises:
        ProcgenMissing: unsupported platform, no network, or the checksum differs.
    """
    obstacle = platform_obstacle()
    if obstacle:
        raise ProcgenMissing(obstacle)
    target = cache_folder()
    if (target / LIBRARY).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".procgen-") as temporary:
        found = Path(wheel) if wheel else _download(Path(temporary))
        check_wheel(found)
        unpacked = Path(temporary) / "unpacked"
        _unpack(found, unpacked)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(unpacked, target)
    return target


def _download(folder: Path) -> Path:
    """Download the wheel into ``folder`` with pip."""
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, *PIP_TAGS, *PIP_PLATFORM]
    done = subprocess.run(
        [*command, "--dest", str(folder), f"procgen=={VERSION}"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = list(folder.glob("procgen-*.whl"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = lines[-1] if lines else "pip found no such wheel"
        raise ProcgenMissing(f"procgen {VERSION} cannot be fetched: {why}")
    return found[0]


def check_wheel(wheel: str | Path) -> None:
    """Compare the wheel with the pinned checksum; :class:`ProcgenMissing` if it differs."""
    try:
        digest = hashlib.sha256(Path(wheel).read_bytes()).hexdigest()
    except OSError as error:
        raise ProcgenMissing(f"{wheel} cannot be read: {error.strerror}") from None
    if digest != SHA256:
        raise ProcgenMissing(
            f"{Path(wheel).name} has the checksum {digest[:12]}…, not {SHA256[:12]}…: not unpacked"
        )


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(KEPT)]
        archive.extractall(folder, names)
