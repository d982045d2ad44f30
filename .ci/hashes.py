"""Write requirements-ci.txt: pins with the SHA-256 of their files.

Run it after a change of constraints.txt or of the dependencies, on any machine that reaches the
package index: python3 .ci/hashes.py

For every Python that is supported, pip resolves the requirements under constraints.txt without
installing anything; its report names the files and their hashes. Two things are left out: torch,
whose builds (CPU or CUDA) are different files of one version, and what only its CUDA build needs.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Item = dict[str, Any]
"""A file in pip's report."""

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
GLIBCS = (39, 28)
"""Minor versions of glibc whose preferred files are listed: of CI, and of older systems."""
TORCH_ONLY = ("torch", "triton", "nvidia-", "cuda-")
HEAD = """\
# What ".[dev]" needs, for Linux on x86-64 with Python 3.11 to 3.13, by the hashes of the files.
# The versions are those of constraints.txt. Written by .ci/hashes.py, installed by make with
# pip install --no-deps --require-hashes -r requirements-ci.txt
# Without torch: its builds (CPU, CUDA) are different files of one version, and which of them is
# wanted depends on the machine. constraints.txt pins its version.
"""


def report(words: list[str], python: str, glibc: int) -> list[Item]:
    """The files that ``pip install`` with ``words`` would take: list of its report's items."""
    tags = [f"manylinux_2_{minor}_x86_64" for minor in range(glibc, 4, -1)]
    tags += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    # Only the default index: other sources of a machine may hold other files.
    elsewhere = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")
    settings = {key: value for key, value in os.environ.items() if key not in elsewhere}
    settings["PIP_CONFIG_FILE"] = os.devnull
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:"]
        options += ["--target", folder, "--report", f"{folder}/report.json"]
        options += ["--python-version", python, *platforms]
        pip = [sys.executable, "-m", "pip", "install", *options, *words]
        subprocess.run(pip, check=True, env=settings)
        items = json.loads(Path(folder, "report.json").read_text())["install"]
    return items


def items_of(requirements: list[str], python: str) -> list[Item]:
    """The files for one Python on all systems."""
    newest = report(["-c", str(ROOT / "constraints.txt"), *requirements], python, GLIBCS[0])
    wanted = [item["metadata"] for item in newest if not is_torch(item)]
    pins = [f"{one['name']}=={one['version']}" for one in wanted]
    return sum((report(["--no-deps", *pins], python, glibc) for glibc in GLIBCS[1:]), newest)


def is_torch(item: Item) -> bool:
    """Whether a file is one of those that are left out."""
    return item["metadata"]["name"].startswith(TORCH_ONLY)


def write(items: Iterable[Item]) -> None:
    """Write the file."""
    hashes: dict[str, set[str]] = {}
    for item in items:
        pin = "{name}=={version}".format(**item["metadata"])
        hashes.setdefault(pin, set()).add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    entries = [
        " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in sorted(found))])
        for pin, found in sorted(hashes.items(), key=lambda entry: entry[0].lower())
    ]
    (ROOT / "requirements-ci.txt").write_text(HEAD + "\n".join(entries) + "\n")


def main() -> None:
    """Resolve for every Python at once, and write."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    needed += project["project"]["optional-dependencies"]["dev"]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda python: items_of(needed, python), PYTHONS))
    write(item for part in found for item in part if not is_torch(item))


if __name__ == "__main__":
    main()
