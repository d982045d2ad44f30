"""What a release consists of: the wheel, its size, the citation file, the image's recipe."""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "proxylab", "envs", "experiments")
TABLES = PYPROJECT["tool"]["setuptools"]["data-files"]["share/proxylab/results/tables"]
"""What an experiment and ``bowtie`` read."""

LARGEST = 20_000_000
"""Bytes of the wheel."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built from a copy: old build output cannot get into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        options = {"ignore": ignored} if (ROOT / name).is_dir() else {}
        copy(ROOT / name, source / name, **options)
    (source / "results/tables").mkdir(parents=True)
    for table in TABLES:
        shutil.copy2(ROOT / table, source / table)
    words = ["wheel", str(source), "--no-deps", "--no-build-isolation", "--quiet"]
    pip(sys.executable, *words, "--wheel-dir", str(folder))
    return next(folder.glob("proxylab-*.whl"))


def pip(python, *words):
    """Run pip for a Python, without any index."""
    command = [sys.executable, "-m", "pip", "--python", str(python), *words, "--no-index"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_wheel_holds_the_packages_and_the_experiments(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    version = PROJECT["version"]
    data = f"proxylab-{version}.data/data/share/proxylab/"
    tops = {"proxylab", "proxylab_envs", f"proxylab-{version}.dist-info"}
    assert {name.split("/")[0] for name in names} == {*tops, f"proxylab-{version}.data"}
    shipped = {name.removeprefix(data) for name in names if name.startswith(data)}
    experiments = {f"experiments/{path.name}" for path in (ROOT / "experiments").glob("*.py")}
    assert shipped == {*experiments, *TABLES}
    assert {"proxylab/zoo/maze-corner/trusted.safetensors", "proxylab/py.typed"} <= set(names)


def test_the_wheel_is_as_large_as_the_page_says(wheel):
    size = wheel.stat().st_size
    assert size < LARGEST
    text = (ROOT / "docs" / "releasing.md").read_text()
    said = re.search(r"([\d.]+) MB in\s+all; a test keeps it below (\d+) MB", text)
    assert float(said[1]) == pytest.approx(size / 1e6, abs=0.15)
    assert int(said[2]) * 1_000_000 == LARGEST


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Function (words) -> completed process: the installed program, in an empty folder.

    The environment is fresh; its dependencies are those of this one, by a .pth file.
    """
    base = tmp_path_factory.mktemp("installed")
    venv.create(base / "venv")
    python = base / "venv" / "bin" / "python"
    pip(python, "install", "--no-deps", "--quiet", str(wheel))
    site = next((base / "venv").glob("lib/python*/site-packages"))
    here = next(path for path in map(Path, sys.path) if (path / "torch").is_dir())
    (site / "dependencies.pth").write_text(f"{here}\n")
    empty = base / "empty"
    empty.mkdir()
    kept = ("PYTHONPATH", "PROXYLAB_RESULTS", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in kept}
    environment |= {"PROXYLAB_CACHE": str(base / "cache"), "NO_COLOR": "1"}

    program = [str(python), "-m", "proxylab"]
    options = {"cwd": empty, "env": environment, "text": True}

    def run(*words):
        return subprocess.run([*program, *words], capture_output=True, **options)

    run.start = functools.partial(subprocess.Popen, stderr=subprocess.PIPE, **options)
    run.program, run.folder, run.cache = program, empty, base / "cache"
    return run


def test_the_installed_wheel_knows_its_experiments(installed):
    done = installed("list", "experiments", "--json")
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "experiments").glob("*.py"):
        assert f'"{path.stem}"' in done.stdout
    assert list(installed.folder.iterdir()) == []


def test_experiments_of_the_current_folder_come_first(installed):
    (installed.folder / "experiments").mkdir()
    (installed.folder / "experiments" / "own_one.py").write_text('"""A claim of my own."""\n')
    done = installed("list", "experiments", "--json")
    shutil.rmtree(installed.folder / "experiments")
    assert '"own_one"' in done.stdout
    assert '"payoff_ratio"' not in done.stdout


@pytest.mark.slow
def test_the_installed_wheel_works_in_an_empty_folder(installed):
    """Minutes: every kernel is compiled anew."""
    detect = ["detect", "zoo:maze-corner/proxy-00", "--episodes", "20", "--trusted"]
    lake = ["--env", "FrozenLake-v1"]
    commands = [
        [*detect, "--report", "report.html", "--save", "detection.json"],
        ["report", "detection.json", "--out", "again.html"],
        ["app", "--no-serve", "--port", "0"],
        ["reproduce", "payoff-ratio", "--budget", "smoke"],
        ["demo", "maze-corner", "--total-timesteps", "4096", "--episodes", "10"],
        ["train-trusted", *lake, "--seeds", "1", "--timesteps", "64", "--set", "n_steps=64"],
        ["import-sb3", "results/trusted/FrozenLake-v1/ppo/seed-000.zip", *lake],
        ["evaluate", "results/imported/seed-000", *lake, "--episodes", "4"],
    ]
    for words in commands:
        done = installed(*words)
        assert done.returncode == 0, f"{words}\n{done.stderr[-2000:]}"
    made = {path.name for path in installed.folder.iterdir()}
    assert made == {"report.html", "detection.json", "again.html", "results", "demo"}
    assert not (installed.folder / "results" / "cache").exists()
    assert {"numba", "rollouts"} <= {path.name for path in installed.cache.iterdir()}


@pytest.mark.slow
def test_the_page_of_the_installed_wheel_answers_until_it_is_stopped(installed):
    words = ["app", "--port", "0", "--tasks", "boat-race", "--no-token", "--no-open"]
    process = installed.start([*installed.program, *words])
    try:
        said = iter(process.stderr.readline, "")
        address = next(match[1] for line in said if (match := re.search(r"at (http\S+)", line)))
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert answer.status == 200
            assert b"main.js" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def flat(text):
    """{key: text} and the lists of a citation file: the part of YAML that ours needs."""
    found, key = {}, None
    for line in text.splitlines():
        if item := re.fullmatch(r"  - (?:name: )?(.+)", line):
            found[key].append(item[1].strip('"'))
        elif pair := re.fullmatch(r"([a-z-]+):(?: (.+))?", line):
            key = pair[1]
            assert key not in found, f"{key} comes twice"
            found[key] = pair[2].strip('"') if pair[2] else []
        else:
            raise ValueError(f"cannot read {line!r}")
    return found


def test_the_citation_is_that_of_this_version():
    found = flat((ROOT / "CITATION.cff").read_text())
    assert found["cff-version"] == "1.2.0"
    assert found["version"] == PROJECT["version"]
    assert (found["title"], found["license"]) == (PROJECT["name"], PROJECT["license"])
    assert found["abstract"] == PROJECT["description"]
    assert found["keywords"] == PROJECT["keywords"]
    assert found["authors"]
    assert found["message"]


@pytest.mark.parametrize("text", ["version 1", "a: 1\na: 2", "\ttitle: x"])
def test_a_damaged_citation_is_seen(text):
    with pytest.raises((ValueError, AssertionError)):
        flat(text)


def test_the_classifiers_name_every_python():
    named = [c.rpartition(" :: ")[2] for c in PROJECT["classifiers"] if ":: Python :: 3." in c]
    assert named == ["3.11", "3.12", "3.13"]
    assert "Typing :: Typed" in PROJECT["classifiers"]


def faults(recipe):
    """What is wrong with a Dockerfile: bases that move, root, missing sources, shell entry."""
    joined = recipe.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    steps = [line.split(None, 1) for line in lines]
    found = [f"unknown step {name}" for name, _ in steps if name not in KNOWN_STEPS]
    bases = [rest.split()[0] for name, rest in steps if name == "FROM"]
    found += [
        f"base {base}" for base in bases if not re.fullmatch(r"python:3\.1[123]-[\w-]+", base)
    ]
    for name, rest in steps:
        sources = [] if name != "COPY" or "--from=" in rest else rest.split()[:-1]
        found += [f"no {source}" for source in sources if not (ROOT / source).exists()]
    names = [name for name, _ in steps]
    last = dict(steps)
    if "USER" not in names or names.index("USER") > names.index("ENTRYPOINT"):
        found.append("runs as root")
    if last.get("USER") == "root":
        found.append("runs as root")
    if not last.get("ENTRYPOINT", "").startswith("["):
        found.append("the entry point is a shell's line")
    return found


KNOWN_STEPS = ("FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "ENV", "ENTRYPOINT", "CMD")


def test_the_image_has_pinned_bases_and_does_not_run_as_root():
    """A lint only: no image is built here."""
    recipe = (ROOT / "Dockerfile").read_text()
    assert faults(recipe) == []
    version = re.search(r"FROM python:(3\.\d+)", recipe)[1]
    assert version in ("3.11", "3.12", "3.13")
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.MULTILINE)
    for source in " ".join(copied).split():
        assert f"!{source}" in allowed


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("python:3.12-slim-bookworm", "python:latest", "base python:latest"),
        ("USER proxylab", "USER root", "runs as root"),
        ("USER proxylab\n", "", "runs as root"),
        ("COPY envs envs", "COPY environments envs", "no environments"),
        ('ENTRYPOINT ["proxylab"]', "ENTRYPOINT proxylab", "the entry point is a shell's line"),
        ("WORKDIR /source", "ADD x /source", "unknown step ADD"),
    ],
)
def test_a_fault_of_the_image_is_seen(old, new, fault):
    recipe = (ROOT / "Dockerfile").read_text()
    assert old in recipe
    assert fault in faults(recipe.replace(old, new))
