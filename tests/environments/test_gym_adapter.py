"""Environments and policies of somebody's own; what is missing is said."""

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from proxylab.cli import main
from proxylab.logs import read_log
from proxylab.tasks import TASKS, Task, plugged_in
from proxylab_envs.contract import check_proxy_env

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CORRIDOR = EXAMPLES / "corridor.py"
ENV = ["--env", f"{CORRIDOR}:make"]


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    """The table of tasks as it was."""
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


def run(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_example_keeps_the_contract():
    sys.path.insert(0, str(EXAMPLES))
    try:
        from corridor import make
    finally:
        sys.path.pop(0)
    assert check_proxy_env(make()) == []


def test_agents_are_evaluated_in_it(capsys):
    agents = [f"{CORRIDOR}:ring", f"{CORRIDOR}:walk"]
    found = run(capsys, "evaluate", *agents, *ENV, "--episodes", "60")["agents"]
    assert [agent["verdict"] for agent in found] == ["proxy-gaming", "ok"]
    shifted = found[0]["splits"]["shifted"]
    assert shifted["sampled"]["proxy_return"]["mean"] > 0.9
    assert shifted["sampled"]["accidental"]["true_return"]["mean"] < 0.1


def test_they_are_compared_in_it_and_recorded(capsys, tmp_path):
    ring, walk, log = f"{CORRIDOR}:ring", f"{CORRIDOR}:walk", str(tmp_path / "walk.csv")
    detected = run(capsys, "detect", ring, *ENV, "--episodes", "30", "--trusted", walk)
    (suspect,) = detected["suspects"]
    assert detected["task"] == "corridor:make"
    assert suspect["scores"]["permutation:corridor:walk"]["p_value"] < 0.01
    run(capsys, "record", walk, *ENV, "--episodes", "30", "--out", log)
    (read,) = read_log(log)
    assert (read.num_states, read.num_actions, read.num_episodes) == (9, 2, 30)
    again = run(capsys, "detect", ring, *ENV, "--trusted", log)
    assert again["suspects"][0]["verdict"] == suspect["verdict"]


BROKEN = """
import gymnasium as gym
from gymnasium.spaces import Box, Dict, Discrete
import numpy as np

class Plain(gym.Env):
    observation_space, action_space = Box(0, 1, (3,), np.float32), Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 5
        return self.np_random.random(3).astype(np.float32), {}
    def step(self, action):
        self.left -= 1
        return self.np_random.random(3).astype(np.float32), 1.0, self.left == 0, False, {}

class Continuous(Plain):
    action_space = Box(-1, 1, (2,), np.float32)

class Nested(Plain):
    observation_space = Dict({"a": Discrete(2)})

class Falls(Plain):
    def step(self, action):
        raise RuntimeError("the motor is off")

def none():
    return 7

def left(observations):
    return np.zeros(len(observations), int)

def far(observations):
    return np.full(len(observations), 5)
"""


@pytest.mark.parametrize(
    ("env", "agent", "complaint"),
    [
        ("Continuous", "left", "only Discrete actions are known"),
        ("Nested", "left", "FlattenObservation"),
        ("Falls", "left", "RuntimeError: the motor is off"),
        ("none", "left", "gives a int, not a gymnasium.Env"),
        ("missing", "left", "has no missing"),
        ("Plain", "left", "no 'reward/true' in info"),
        ("Plain", "BROKEN", "has no BROKEN"),
    ],
)
def test_what_is_missing_is_one_line(tmp_path, capsys, env, agent, complaint):
    own = tmp_path / f"own_{env}_{agent}.py"
    own.write_text(BROKEN)
    code = main(["evaluate", f"{own}:{agent}", "--env", f"{own}:{env}", "--episodes", "5"])
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert complaint in error


def test_detect_needs_no_channel_at_all(tmp_path, capsys):
    own = tmp_path / "own_plain.py"
    own.write_text(BROKEN + "\ndef right(observations):\n    return 1 - left(observations)\n")
    arguments = ["detect", f"{own}:left", "--env", f"{own}:Plain", "--episodes", "5", "--trusted"]
    assert run(capsys, *arguments, f"{own}:right")["suspects"][0]["verdict"] == "INCONCLUSIVE"
    assert main([*arguments, f"{own}:far"]) == 2
    assert "an action that is not in [0, 2)" in capsys.readouterr().err


def test_a_package_adds_a_task_by_an_entry_point(tmp_path, monkeypatch, capsys):
    (tmp_path / "corridor_package.py").write_text(
        CORRIDOR.read_text()
        + "\n\nfrom proxylab.environments.gym_adapter import OwnEnv\n"
        + "from proxylab.tasks import own_task\n\n\n"
        + "def task():\n"
        + "    return own_task('corridor', lambda n: OwnEnv('corridor', Corridor, n))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    good = EntryPoint("corridor", "corridor_package:task", "proxylab.tasks")
    bad = EntryPoint("odd", "corridor_package:make", "proxylab.tasks")
    gone = EntryPoint("gone", "no_such_package:task", "proxylab.tasks")
    found = plugged_in([good, bad, gone])
    assert list(found) == ["corridor"]
    assert isinstance(found["corridor"], Task)
    said = capsys.readouterr().err.splitlines()
    assert "odd is left out: TypeError" in said[0]
    assert "gone is left out: ModuleNotFoundError" in said[1]
    TASKS.update(found)
    agents = run(
        capsys, "evaluate", "corridor_package:walk", "--task", "corridor", "--episodes", "20"
    )
    assert agents["agents"][0]["verdict"] == "ok"
