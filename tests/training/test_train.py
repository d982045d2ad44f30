"""Training: the same bytes twice, through a kill, and through Ctrl-C; folders and refusals."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from proxylab.agents.references import load_agent
from proxylab.config import PPOConfig, shifted_share
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.training.train import make_config, make_model, train

pytestmark = pytest.mark.usefixtures("few_levels")
SMALL = {"total_timesteps": 2_048, "num_envs": 16}
AGENT = ("agent.safetensors", "agent.json")
KILLED = """
import os, sys
from dataclasses import replace
from proxylab.tasks import TASKS
from proxylab.training import train as training
from proxylab.training import callbacks as watching
few = dict(check_levels=8, final_eval_levels=8)  # as in this process, by the fixture few_levels
TASKS[{task!r}] = replace(TASKS[{task!r}], **few)
watching.SHIFTED_LEVELS = 8
save = watching.TrainingCallback._save
def save_and_die(self):
    save(self)
    if self.num_timesteps >= {at}:
        os.kill(os.getpid(), {signal})
watching.TrainingCallback._save = save_and_die
training.train({task!r}, out=sys.argv[1], seed=3, algorithm={algorithm!r}, **{changes!r})
"""


def agent_bytes(folder):
    return [(folder / name).read_bytes() for name in AGENT]


def run_and_die(folder, task, algorithm, how):
    script = KILLED.format(at=1_024, signal=int(how), task=task, algorithm=algorithm, changes=SMALL)
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of PPO in maze-corner, killed in the middle."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    died = run_and_die(folder, "maze-corner", "ppo", signal.SIGKILL)
    assert died.returncode == -signal.SIGKILL, died.stderr
    return folder


@pytest.mark.parametrize(
    ("task", "algorithm"),
    [
        ("maze-corner", "ppo"),
        pytest.param("maze-corner", "a2c", marks=pytest.mark.slow),
        ("boat-lagoon", "ppo"),
    ],
)
def test_through_a_kill_comes_the_same_agent_to_the_byte(tmp_path, task, algorithm):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(task, out=whole, seed=3, algorithm=algorithm, **SMALL)
    died = run_and_die(killed, task, algorithm, signal.SIGKILL)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not store.is_complete(killed)
    assert (killed / store.CHECKPOINT).is_file()
    result = train(task, out=killed, seed=3, algorithm=algorithm, resume=True, **SMALL)
    assert agent_bytes(killed) == agent_bytes(whole)
    assert result.timesteps == SMALL["total_timesteps"]
    rows = [store.read_table(folder / store.METRICS) for folder in (whole, killed)]
    without = [[{k: v for k, v in r.items() if k != "seconds"} for r in table] for table in rows]
    assert without[0] == without[1]


def test_an_interrupt_saves_and_the_run_can_be_resumed(tmp_path):
    died = run_and_die(tmp_path / "run", "maze-corner", "ppo", signal.SIGINT)
    assert "KeyboardInterrupt" in died.stderr
    assert not store.is_complete(tmp_path / "run")
    train("maze-corner", out=tmp_path / "run", seed=3, algorithm="ppo", resume=True, **SMALL)
    train("maze-corner", out=tmp_path / "whole", seed=3, algorithm="ppo", **SMALL)
    assert agent_bytes(tmp_path / "run") == agent_bytes(tmp_path / "whole")


def test_another_seed_gives_another_agent(tmp_path):
    for seed in (0, 1):
        train("maze-corner", out=tmp_path / str(seed), seed=seed, **SMALL)
    assert agent_bytes(tmp_path / "0")[0] != agent_bytes(tmp_path / "1")[0]


def test_a_run_begins_with_the_weights_of_another(tmp_path):
    """A rate near zero: what comes out is what went in."""
    given = "zoo:boat-race/trusted-00"
    still = PPOConfig(learning_rate=1e-12, n_steps=64, batch_size=512)
    train("boat-race", out=tmp_path, start_from=given, ppo=still, **SMALL)
    theirs, ours = (load_agent(ref).network.state_dict() for ref in (given, tmp_path))
    assert theirs.keys() == ours.keys()
    assert all(torch.allclose(theirs[name], ours[name], atol=1e-6) for name in theirs)


def test_a_run_cannot_begin_with_another_network(tmp_path):
    with pytest.raises(UsageError, match="has another network than this run"):
        train("boat-race", out=tmp_path, start_from="zoo:maze-corner/trusted-00", **SMALL)


def test_the_saved_agent_acts_as_the_trained_policy(tmp_path):
    train("boat-lagoon", out=tmp_path / "run", **SMALL)
    agent = load_agent(tmp_path / "run")
    model = make_model(make_config("boat-lagoon", **SMALL))
    observations = model.env.reset()
    weights = {k: torch.from_numpy(v) for k, v in _as_sb3(agent).items()}
    model.policy.load_state_dict(weights)
    with torch.no_grad():
        expected = model.policy.get_distribution(torch.from_numpy(observations)).distribution.probs
    found = agent.action_probabilities(observations)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def _as_sb3(agent):
    from proxylab.training.sb3_policy import PARTS

    theirs = {ours: name for name, ours in PARTS.items()}
    weights = {}
    for name, tensor in agent.network.state_dict().items():
        ours = next(prefix for prefix in theirs if name.startswith(prefix))
        weights[theirs[ours] + name.removeprefix(ours)] = tensor.numpy()
        if ours == "trunk.":
            for prefix in ("pi_", "vf_"):
                key = f"{prefix}{theirs[ours]}{name.removeprefix(ours)}"
                weights[key] = tensor.numpy()
    return weights


def test_a_finished_run_is_found_not_trained_again(tmp_path):
    first = train("maze-corner", out=tmp_path / "run", **SMALL)
    before = time.time()
    second = train("maze-corner", out=tmp_path / "run", **SMALL)
    assert not first.skipped
    assert second.skipped
    assert second.iid_success == first.iid_success
    assert (tmp_path / "run" / store.COMPLETE).stat().st_mtime <= before


def test_another_configuration_needs_force(tmp_path):
    train("maze-corner", out=tmp_path / "run", **SMALL)
    with pytest.raises(UsageError, match="--force"):
        train("maze-corner", out=tmp_path / "run", seed=1, **SMALL)
    assert train("maze-corner", out=tmp_path / "run", seed=1, force=True, **SMALL).seed == 1


def test_an_unfinished_run_needs_resume_or_force(tmp_path, killed):
    shutil.copytree(killed, tmp_path / "run")
    with pytest.raises(UsageError, match="--resume"):
        train("maze-corner", out=tmp_path / "run", seed=3, algorithm="ppo", **SMALL)


def test_a_damaged_checkpoint_is_refused(tmp_path, killed):
    shutil.copytree(killed, tmp_path / "run")
    path = tmp_path / "run" / store.CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UsageError, match="damaged"):
        train("maze-corner", out=tmp_path / "run", seed=3, algorithm="ppo", resume=True, **SMALL)


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        train("maze-corner", out=tmp_path, **SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"task": "chess"}, "unknown task"),
        ({"role": "saint"}, "no role"),
        ({"levels": "mix:2"}, "unknown levels"),
        ({"levels": "easy"}, "unknown levels"),
        ({"algorithm": "dqn"}, "unknown algorithm"),
        ({"total_timesteps": 0}, "less than 1"),
        ({"seed": -1}, "negative"),
        ({"device": "tpu"}, "unknown device"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, what):
    with pytest.raises(UsageError, match=what):
        make_config(**{"task": "maze-corner", **changes})


@pytest.mark.parametrize("name", ["learning_rate", "n_steps", "gamma"])
def test_impossible_hyperparameters_are_refused(name):
    with pytest.raises(ValueError, match=name):
        PPOConfig(**{name: -1})


def test_levels_are_shares():
    assert [shifted_share(x) for x in ("train", "shifted", "mix:0.02")] == [0, 1, 0.02]


def test_auto_means_the_cpu():
    assert make_config("maze-corner", device="auto").device == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(UsageError, match="no CUDA device"):
        make_config("maze-corner", device="cuda")


@pytest.mark.gpu
def test_cuda_trains_and_resumes(tmp_path):
    train("maze-corner", out=tmp_path / "run", device="cuda", **SMALL)
    assert store.is_complete(tmp_path / "run")
