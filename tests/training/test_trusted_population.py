"""``train-trusted``: populations of plain SB3 agents, resumed, admitted and refused."""

import json

import numpy as np
import pytest
from stable_baselines3 import PPO

import proxylab
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.training import population
from proxylab.training.hyperparameters import parsed
from proxylab.training.population import train_trusted

LAKE = "FrozenLake-v1"
QUICK = {"n_steps": 32, "batch_size": 32, "n_epochs": 1}
ONE = {"timesteps": 64, "episodes": 4, "jobs": 1, "hyperparameters": QUICK, "num_envs": 2}


def test_the_command_trains_in_processes_and_resumes(tmp_path, capsys):
    out = tmp_path / "trusted"
    arguments = ["train-trusted", "--env", LAKE, "--seeds", "2", "--timesteps", "64", "--episodes"]
    arguments += ["4", "--out", str(out), "--set", "n_steps=32", "batch_size=32", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["trained"]) == ("proxylab.train-trusted/1", 2)
    assert (found["admitted"], found["policy"]) == ([0, 1], "MlpPolicy")
    before = {path.name: path.read_bytes() for path in out.glob("seed-*")}
    assert len(before) == 4
    (out / "seed-001.zip").unlink()
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["trained"] == 1
    assert (out / "seed-000.zip").read_bytes() == before["seed-000.zip"]
    assert PPO.load(out / "seed-001.zip", device="cpu").n_steps == 32


def test_a_seed_decides_the_weights(tmp_path):
    for folder in ("a", "b"):
        train_trusted(LAKE, seeds=2, out=tmp_path / folder, **ONE)
    one, again, other = (
        PPO.load(tmp_path / path, device="cpu").policy.action_net.weight.detach().numpy()
        for path in ("a/seed-000.zip", "b/seed-000.zip", "a/seed-001.zip")
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_killed_population_leaves_no_half_agent(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(population, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        train_trusted(LAKE, seeds=1, out=tmp_path, **ONE)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.json"))
    assert train_trusted(LAKE, seeds=1, out=tmp_path, **ONE).trained == 1


def test_admission_by_the_mean_return(tmp_path):
    """The rule may change afterwards: nothing is trained again."""
    strict = train_trusted(LAKE, seeds=1, out=tmp_path, min_return=2.0, **ONE)
    assert (strict.admitted, strict.rejected, strict.rule) == ([], [0], "mean return of at least 2")
    assert not list(tmp_path.glob("*.zip"))
    assert (tmp_path / "rejected" / "seed-000.zip").is_file()
    lenient = train_trusted(LAKE, seeds=1, out=tmp_path, min_return=-1.0, **ONE)
    assert (lenient.admitted, lenient.rejected, lenient.trained) == ([0], [], 0)
    assert (tmp_path / "seed-000.zip").is_file()


def test_a_folder_of_another_population(tmp_path):
    train_trusted(LAKE, seeds=1, out=tmp_path, **ONE)
    with pytest.raises(UsageError, match="was trained with timesteps 64, not 128"):
        train_trusted(LAKE, seeds=1, out=tmp_path, **{**ONE, "timesteps": 128})


def test_dqn_and_the_function_of_the_package(tmp_path):
    found = proxylab.train_trusted(
        LAKE, "dqn", 1, 64, out=tmp_path, episodes=4, jobs=1,
        hyperparameters=["learning_starts=10", "net_arch=16"],
    )  # fmt: skip
    assert (found.admitted, found.algorithm) == ([0], "dqn")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["n_steps=x"], "n_steps=x: not a whole number"),
        (["n_steps=1.5"], "not a whole number"),
        (["learning_rate=nan"], "learning_rate=nan: not a number"),
        (["learning_rate=1e99"], "not a number within"),
        (["policy_class=os.system"], "has no hyperparameter 'policy_class'"),
        (["gamma"], "'gamma' is no hyperparameter: write name=value"),
        (["gamma=0.9", "gamma=0.8"], "gamma comes twice"),
        (["net_arch=64,0"], "net_arch: at most"),
        (["learning_rate=__import__('os')"], "not a number"),
    ],
)
def test_hyperparameters_that_cannot_be(given, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        parsed("ppo", given)


def test_hyperparameters_are_typed():
    given = ["learning_rate=3e-4", "n_steps=128", "net_arch=64,32"]
    assert parsed("ppo", given) == {"learning_rate": 3e-4, "n_steps": 128, "net_arch": [64, 32]}


@pytest.mark.parametrize(
    ("env", "said"),
    [("Pendulum-v1", "detect knows Discrete"), ("Nowhere-v0", "Environment `Nowhere`")],
)
def test_an_environment_that_cannot_be(tmp_path, env, said):
    with pytest.raises(UsageError, match=said):
        train_trusted(env, out=tmp_path)
