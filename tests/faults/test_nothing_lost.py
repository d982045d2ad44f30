"""Kills, full disks, missing rights, two writers: going on gives the same bytes, nothing is half.

The default run tries a few points; the slow one every file operation of a job and a hundred
random moments (``make test-slow``), and A2C too, which writes its files as PPO does.
"""

import os
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crashing import die, disk_full, in_child

from proxylab.agents.format import read_agent
from proxylab.agents.zoo import ZooFacts, ZooMember, pack_zoo, read_entry
from proxylab.agents.zoo_kinds import kinds_of
from proxylab.errors import AgentError, UsageError
from proxylab.reproduce.experiment import Assignment, load_experiment, run_assignment
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training import callbacks
from proxylab.training.train import train
from proxylab.training.zoo_build import planned_runs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its children")
SWEEP = Path(__file__).parents[1] / "experiments" / "toy_sweep.py"
TINY = {"total_timesteps": 1_024, "num_envs": 8}
FEW = (2, 9, 16)
"""File operations at which the default run kills."""


@pytest.fixture(autouse=True, scope="module")
def quick(tmp_path_factory):
    """Checks on few levels: what is tested is what is written, not how good it is.

    One run in this process loads and compiles everything that the children need.
    """
    before, levels = TASKS["maze-corner"], callbacks.SHIFTED_LEVELS
    callbacks.SHIFTED_LEVELS = 8
    TASKS["maze-corner"] = replace(before, checks=2, check_levels=8, final_eval_levels=8)
    Training("ppo").start(tmp_path_factory.mktemp("warm"))
    yield
    TASKS["maze-corner"], callbacks.SHIFTED_LEVELS = before, levels


class Training:
    """One short run of PPO or A2C."""

    seconds = 0.8
    """It is killed at random before so many."""

    def __init__(self, algorithm):
        self.algorithm = algorithm

    def start(self, folder):
        train(
            "maze-corner", out=folder / "run", seed=3, algorithm=self.algorithm, resume=True, **TINY
        )

    def content(self, folder):
        assert store.is_complete(folder / "run")
        names = ("agent.safetensors", "agent.json", "config.json")
        rows = store.read_table(folder / "run" / store.METRICS)
        files = [(folder / "run" / name).read_bytes() for name in names]
        return files, [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    def check_partial(self, folder):
        """A run that is not complete has no agent, or a whole one."""
        if (folder / "run" / "agent.json").exists():
            read_agent(folder / "run")


class Sweep:
    """One point of a sweep: trained, measured, its rows kept."""

    seconds = 0.8

    def start(self, folder):
        os.environ["PROXYLAB_RESULTS"] = str(folder / "results")
        experiment = load_experiment(SWEEP)
        settings = {**experiment.settings("laptop"), "total_timesteps": TINY["total_timesteps"]}
        point = experiment.module.points(settings)[0]
        run_assignment(Assignment(str(SWEEP), "laptop", point))

    def content(self, folder):
        results = folder / "results" / "runs"
        (agent,) = results.glob("maze-corner/*/*/agent.safetensors")
        (rows,) = results.glob("measures/*/*.json")
        assert store.is_complete(agent.parent)
        return agent.read_bytes(), store.read_json(rows)

    def check_partial(self, folder):
        for rows in (folder / "results").glob("runs/measures/*/*.json"):
            store.read_json(rows)


class Zoo:
    """Two kinds of agents packed over a zoo that is there."""

    seconds = 0.02

    def __init__(self, agents):
        self.agents = agents

    def start(self, folder):
        pack_zoo("maze-corner", self.agents, folder / "zoo")

    def content(self, folder):
        files = sorted((folder / "zoo").iterdir())
        return [(file.name, file.read_bytes()) for file in files]

    def check_partial(self, folder):
        """An agent of the index is what it was, or is refused; never another's weights."""
        from proxylab.agents.zoo import _index

        _index.cache_clear()
        index = folder / "zoo" / "agents.json"
        for entry in _index(index) if index.exists() else ():
            try:
                read_entry(entry)
            except AgentError as error:
                assert "sha256" in str(error) or "cannot be read" in str(error)  # noqa: PT017


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    """Four members of two kinds, trained for a moment."""
    os.environ["PROXYLAB_RESULTS"] = str(tmp_path_factory.mktemp("zoo"))
    found = []
    kinds = kinds_of("maze-corner", ("trusted", "proxy"), 2)
    for kind, job in planned_runs("maze-corner", kinds, 512):
        assert in_child(lambda job=job: train_job(job), job.folder) == 0
        spec, weights, _ = read_agent(job.folder)
        found.append(ZooMember(kind, spec, weights, ZooFacts(job.config.seed, 512, 1.0, 1.0, "")))
    return found


def train_job(job):
    from proxylab.training.train import run_job

    run_job(job.config, job.folder)


@pytest.fixture(params=["ppo", pytest.param("a2c", marks=pytest.mark.slow), "sweep", "zoo"])
def job(request):
    """What is to survive."""
    if request.param == "zoo":
        return Zoo(request.getfixturevalue("agents"))
    return Sweep() if request.param == "sweep" else Training(request.param)


@pytest.fixture(scope="module")
def wholes():
    """{job: what it comes to}, filled by ``whole``."""
    return {}


@pytest.fixture
def whole(request, job, wholes, tmp_path):
    """What the job comes to when nothing happens to it."""
    name = request.node.callspec.params["job"]
    if name not in wholes:
        assert in_child(lambda: job.start(tmp_path / "whole"), tmp_path / "whole") == 0
        wholes[name] = job.content(tmp_path / "whole")
    return wholes[name]


def go_on(job, folder, whole):
    """Nothing half is read; the job goes on to the same bytes and leaves no rubbish."""
    job.check_partial(folder)
    assert in_child(lambda: job.start(folder), folder) == 0, error_of(folder)
    assert job.content(folder) == whole
    assert not [path for path in folder.rglob(f"*{store.PART}") if "measures" not in path.parts]


def error_of(folder):
    note = folder.parent / "error.txt"
    return note.read_text() if note.exists() else ""


def killed_everywhere(job, tmp_path, whole, points):
    """Kill at each of ``points``, or at each operation there is; how many died."""
    kills = 0
    for at in points:
        folder = tmp_path / f"at-{at}"
        folder.mkdir()
        status = in_child(lambda folder=folder: job.start(folder), folder, at)
        if status == 0:
            break
        assert status == -9, error_of(folder)
        kills += 1
        go_on(job, folder, whole)
        shutil.rmtree(folder)
    return kills


def test_a_few_kills(job, tmp_path, whole):
    assert killed_everywhere(job, tmp_path, whole, FEW) >= 1


@pytest.mark.slow
def test_a_kill_at_every_file_operation(job, tmp_path, whole, record_property, capsys):
    kills = killed_everywhere(job, tmp_path, whole, range(1, 1_000))
    with capsys.disabled():
        print(f" {type(job).__name__}: {kills} kills at file operations", end="")
    assert kills >= 8


@pytest.mark.slow
def test_kills_at_random_moments_one_after_another(job, tmp_path, whole, capsys):
    """The same folder is killed again and again until it is done by chance."""
    draw, ends = random.Random(0), Counter()
    for trial in range(12):
        folder = tmp_path / f"trial-{trial}"
        folder.mkdir()
        for _ in range(5):
            status = in_child(
                lambda folder=folder: job.start(folder),
                folder,
                after=draw.uniform(0.01, 1) * job.seconds,
            )
            ends[status] += 1
            if status == 0:
                break
            assert status == -9, error_of(folder)
        go_on(job, folder, whole)
        shutil.rmtree(folder)
    with capsys.disabled():
        print(f" {type(job).__name__}: {ends[-9]} kills at random moments", end="")
    assert ends[-9] >= 5


@pytest.mark.parametrize("at", [3, 12])
def test_a_full_disk_is_an_error_and_then_the_job_goes_on(job, tmp_path, whole, at):
    folder = tmp_path / "full"
    folder.mkdir()
    status = in_child(lambda: job.start(folder), folder, at, disk_full)
    if status:
        assert "No space left" in error_of(folder)
    go_on(job, folder, whole)


def test_a_second_writer_is_told_and_harms_nothing(tmp_path, monkeypatch):
    """The second comes while the first writes; afterwards there is one whole run."""
    monkeypatch.setattr(store, "PATIENCE", 0.0)
    job, folder = Training("ppo"), tmp_path / "run"
    with store.only_writer(folder), pytest.raises(UsageError, match="another process is writing"):
        job.start(tmp_path)
    assert list(folder.iterdir()) == []
    first = os.fork()
    if first == 0:
        try:
            job.start(tmp_path)
        finally:
            os._exit(0)
    while not (folder / store.CONFIG).exists():
        pass
    assert in_child(lambda: job.start(tmp_path), folder) in (0, 1)
    os.waitpid(first, 0)
    job.content(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="becomes somebody without rights")
def test_without_rights_a_run_is_refused_in_one_line(tmp_path):
    nobody = 65534
    store.write_json(tmp_path / "secret.json", {})
    (tmp_path / "secret.json").chmod(0o600)
    tmp_path.chmod(0o755)

    def as_nobody(job, *arguments):
        os.seteuid(nobody)
        try:
            job(*arguments)
        finally:
            os.seteuid(0)

    attempts = (
        lambda: as_nobody(store.read_json, tmp_path / "secret.json"),
        lambda: as_nobody(store.write_json, tmp_path / "other.json", {}),
    )
    for attempt in attempts:
        (tmp_path / "inner").mkdir(exist_ok=True)
        assert in_child(attempt, tmp_path / "inner") == 1
        assert "ermission denied" in (tmp_path / "error.txt").read_text().splitlines()[0]
    assert not (tmp_path / "other.json").exists()


def test_what_an_old_kill_left_is_removed_and_what_runs_is_not(tmp_path):
    target = tmp_path / "table.json"
    old, new = (tmp_path / f".table.json.{name}{store.PART}" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    store.write_json(target, {"a": 1})
    assert not old.exists()
    assert new.exists()
    with store.only_writer(tmp_path):
        assert not new.exists()


def test_the_hook_counts_what_it_should(tmp_path):
    """A control: without it, a test that kills nothing would pass as well."""
    (tmp_path / "in").mkdir()

    def write():
        np.save(tmp_path / "in" / "a.npy", np.ones(3))
        (tmp_path / "out.txt").write_text("not counted")
        os.replace(tmp_path / "in" / "a.npy", tmp_path / "in" / "b.npy")

    assert in_child(write, tmp_path / "in", 2, die) == -9
    assert (tmp_path / "in" / "a.npy").exists()
    assert in_child(write, tmp_path / "in", 3, die) == 0


def test_force_removes_runs_only_and_their_mark_first(tmp_path):
    job, folder = Training("ppo"), tmp_path / "run"
    job.start(tmp_path)
    force = {"seed": 3, "algorithm": "ppo", "force": True, **TINY}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds something else"):
        train("maze-corner", out=tmp_path / "other", **force)
    assert (tmp_path / "other" / "letter.txt").exists()
    for at in (1, 2, 3, 4, 5):
        status = in_child(lambda: train("maze-corner", out=folder, **force), folder, at)
        assert status == -9, error_of(folder)
        if store.is_complete(folder):  # nothing was removed yet
            job.content(tmp_path)
    train("maze-corner", out=folder, **force)
    job.content(tmp_path)
