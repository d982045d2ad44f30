"""Behaviour cloning: labels of the expert, random actions, learning rate, and what is refused."""

import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from proxylab import record
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.cli import main
from proxylab.config import BCConfig, PPOConfig
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training.callbacks import Evaluator, TrainingCallback
from proxylab.training.cloning import WARM_UP, BehaviourCloning, learning_rate_at
from proxylab.training.demonstrations import ActingExpert, LoggedDemonstrations
from proxylab.training.plan import plan
from proxylab.training.train import make_config, make_model, train

TASK = "maze-corner"
SMALL = {
    "algorithm": "bc",
    "total_timesteps": 2_048,
    "num_envs": 16,
    "ppo": PPOConfig(learning_rate=1e-2, n_steps=16, batch_size=64, n_epochs=2),
}
KILLED = """
import os, signal, sys
from proxylab.config import BCConfig, PPOConfig
from proxylab.training import train as training
from proxylab.training.callbacks import TrainingCallback
save = TrainingCallback._save
def save_and_die(self):
    save(self)
    if self.num_timesteps >= 1_024:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingCallback._save = save_and_die
training.train({task!r}, out=sys.argv[1], seed=3, bc={bc!r}, **{changes!r})
"""


@pytest.fixture(autouse=True)
def few_levels(monkeypatch):
    """Evaluations on few levels: the agents' bytes do not depend on them."""
    quick = dataclasses.replace(TASKS[TASK], check_levels=32, final_eval_levels=200, checks=4)
    monkeypatch.setitem(TASKS, TASK, quick)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of demonstrations: 30 training levels, solved by the script."""
    path = tmp_path_factory.mktemp("logs") / "demonstrations.parquet"
    record(f"script:{TASK}/optimal", path, split="train", episodes=30)
    return str(path)


class Recorded:
    """An environment that remembers the actions it is given."""

    def __init__(self, env):
        self.env, self.actions = env, []

    def __getattr__(self, name):
        return getattr(self.env, name)

    def step(self, actions):
        self.actions.append(actions.copy())
        self.env.step(actions)


class Always:
    """An expert that takes action 2 everywhere."""

    def probabilities(self, env, indices):
        return np.tile(np.float32([0, 0, 1, 0]), (len(indices), 1))


def demonstrate(expert, share, steps=60):
    """(labels [steps, N], executed actions [steps, N], share of labels the expert may take)."""
    torch.manual_seed(0)
    env = Recorded(TASKS[TASK].make_env(100))
    env.reset()
    source, labels, possible = ActingExpert(expert, share), [], []
    for step in range(steps):
        seen, wanted = env.observe().copy(), expert.probabilities(env.env, np.arange(100))
        observations, drawn = source.draw(env, 100 * step)
        np.testing.assert_array_equal(observations, seen)
        labels.append(drawn)
        possible.append(wanted[np.arange(100), drawn] > 0)
    return np.array(labels), np.array(env.actions), np.mean(possible)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_labels_are_the_expert_s_and_a_share_of_the_actions_is_random(share):
    labels, executed, _ = demonstrate(Always(), share)
    assert (labels == 2).all()
    others = (executed != 2).mean()
    assert abs(others - share * 3 / 4) < 0.02  # a quarter of the random ones is action 2
    if share:
        counts = [(executed == action).mean() for action in (0, 1, 3)]
        np.testing.assert_allclose(counts, share / 4, atol=0.015)
    assert abs(others - (share + 0.2) * 3 / 4) > 0.1  # control: another share is told apart


def test_labels_are_a_script_s_also_after_mistakes():
    labels, executed, possible = demonstrate(ScriptedPolicy(TASK, "optimal"), 0.5)
    assert possible == 1
    assert (labels != executed).mean() > 0.2


def test_the_learning_rate_rises_linearly_and_falls_to_zero():
    assert learning_rate_at(WARM_UP, 2.0) == pytest.approx(2.0)
    assert learning_rate_at(WARM_UP / 2, 2.0) == pytest.approx(1.0)
    assert learning_rate_at((1 + WARM_UP) / 2, 2.0) == pytest.approx(1.0)
    assert learning_rate_at(1.0, 2.0) == pytest.approx(0.0)
    rates = [learning_rate_at(p, 1.0) for p in np.linspace(0, 1, 201)]
    assert (np.diff(rates[:21]) >= 0).all()
    assert (np.diff(rates[20:]) <= 0).all()
    assert min(rates[:-1]) > 0


def test_a_run_follows_the_learning_rate(monkeypatch, tmp_path):
    rates, update = [], BehaviourCloning._update

    def watched(self, observations, labels):
        rates.append(self.policy.optimizer.param_groups[0]["lr"])
        update(self, observations, labels)

    monkeypatch.setattr(BehaviourCloning, "_update", watched)
    train(TASK, out=tmp_path, **SMALL)
    assert len(rates) == 2_048 // 64 * 2
    wanted = [learning_rate_at(k / len(rates), 1e-2) for k in range(len(rates))]
    np.testing.assert_allclose(rates, wanted, atol=1e-9)


def test_a_short_clone_beats_chance_by_far(tmp_path):
    ppo = PPOConfig(learning_rate=1e-2, n_steps=64, batch_size=128, n_epochs=4, max_grad_norm=10.0)
    changes = {"algorithm": "bc", "total_timesteps": 49_152, "num_envs": 32, "ppo": ppo}
    config = make_config(TASK, **changes)
    chance = Evaluator(config).confirm(make_model(config).policy)
    cloned = train(TASK, out=tmp_path, **changes)
    assert chance < 0.35
    assert cloned.iid_success > chance + 0.3


# The same bytes


def agent_bytes(folder):
    return [(folder / name).read_bytes() for name in ("agent.safetensors", "agent.json")]


def cut(folder, **changes):
    """A run that is interrupted once half of it is saved."""
    save = TrainingCallback._save

    def save_and_stop(self):
        save(self)
        if self.num_timesteps >= 1_024:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingCallback, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(TASK, out=folder, seed=3, **SMALL, **changes)


@pytest.mark.slow
def test_twice_and_through_an_interrupt_a_script_gives_the_same_bytes(tmp_path):
    for name in ("whole", "again"):
        train(TASK, out=tmp_path / name, seed=3, **SMALL)
    assert agent_bytes(tmp_path / "whole") == agent_bytes(tmp_path / "again")
    cut(tmp_path / "cut")
    train(TASK, out=tmp_path / "cut", seed=3, resume=True, **SMALL)
    assert agent_bytes(tmp_path / "cut") == agent_bytes(tmp_path / "whole")
    train(TASK, out=tmp_path / "other", seed=3, bc=BCConfig(random_share=0.5), **SMALL)
    assert agent_bytes(tmp_path / "other")[0] != agent_bytes(tmp_path / "whole")[0]  # control


def test_through_a_kill_a_log_gives_the_same_bytes(tmp_path, log, monkeypatch):
    bc = BCConfig(expert=log)
    train(TASK, out=tmp_path / "whole", seed=3, bc=bc, **SMALL)
    script = KILLED.format(task=TASK, bc=bc, changes=SMALL)
    command = [sys.executable, "-c", script, str(tmp_path / "killed")]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    died = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not store.is_complete(tmp_path / "killed")
    train(TASK, out=tmp_path / "killed", seed=3, bc=bc, resume=True, **SMALL)
    assert agent_bytes(tmp_path / "killed") == agent_bytes(tmp_path / "whole")
    rows = LoggedDemonstrations.rows
    monkeypatch.setattr(LoggedDemonstrations, "rows", lambda s, a, n: rows(s, a + 1, n))
    train(TASK, out=tmp_path / "moved", seed=3, bc=bc, **SMALL)
    assert agent_bytes(tmp_path / "moved")[0] != agent_bytes(tmp_path / "whole")[0]  # control


# What cannot be cloned


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--bc.expert", "nowhere"], "bc.expert: nowhere: this is no run folder"),
        (["--bc.expert", "zoo:maze-corner/nobody-00"], "nobody-00"),
        (["--bc.expert", "script:maze-corner/best"], "no such script: choose optimal"),
        (["--bc.expert", "script:boat-race/optimal"], "is made for boat-race, not maze-corner"),
        (["--bc.expert", "zoo:boat-race/trusted-00"], "is made for boat-race, not maze-corner"),
        (["--bc.expert", "evil:go"], "code and patterns are not taken here"),
        (["--bc.expert", "logs/*.csv"], "there is no such file"),
        (["--bc.expert", "none.parquet"], "bc.expert: none.parquet: there is no such file"),
        (["--reward", "mix:0.5"], "no script is best for 'mix:0.5': name an expert"),
        (["--bc.random-share", "1.5"], "random_share 1.5 is not in [0, 1)"),
    ],
)
def test_what_cannot_be_cloned_is_one_line(tmp_path, capsys, monkeypatch, options, complaint):
    monkeypatch.chdir(tmp_path)
    code = main(["train", TASK, "--algorithm", "bc", "--out", "run", *options])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert complaint in err


def test_a_mix_of_rewards_is_cloned_from_a_named_expert():
    changes = {"reward": "mix:0.5", "bc": BCConfig(expert=f"script:{TASK}/optimal")}
    model = make_model(make_config(TASK, **SMALL, **changes))
    assert model.demonstrations.expert.script == "optimal"
    for role, script in (("proxy", "optimal"), ("trusted", "optimal")):
        found = make_model(make_config(TASK, role, **SMALL)).demonstrations.expert.script
        assert found == script
    gamed = make_model(make_config("boat-race", "proxy", **SMALL)).demonstrations.expert
    assert gamed.script == "back-and-forth"


def test_an_expert_that_is_an_agent(tmp_path):
    changes = {"bc": BCConfig(expert="zoo:boat-race/trusted-00")}
    train("boat-race", "trusted", out=tmp_path, **SMALL, **changes)
    assert store.is_complete(tmp_path)


def test_an_option_of_cloning_without_cloning():
    with pytest.raises(UsageError, match="need the algorithm bc"):
        plan(TASK, bc={"expert": "x"})
