"""What SB3 saved plays here as it does there; what does not fit is refused in a line."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from sb3_models import make_model
from stable_baselines3 import A2C, PPO

import proxylab
from proxylab.agents.import_sb3 import import_sb3
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.errors import AgentError, UsageError
from proxylab.tasks import TASKS

NETS = {
    "default": {},
    "relu": {"activation_fn": torch.nn.ReLU, "net_arch": [16, 8]},
    "unequal": {"net_arch": {"pi": [8], "vf": [16, 4, 2]}},
    "linear": {"net_arch": {"pi": [], "vf": [3]}},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved PPO on maze-corner: (model, path)."""
    model = make_model("maze-corner", PPO, policy_kwargs=NETS["relu"])
    path = tmp_path_factory.mktemp("sb3") / "mouse.zip"
    model.save(path)
    return model, path


def theirs(model, observations):
    """Action probabilities of SB3's own policy."""
    with torch.no_grad():
        given = torch.from_numpy(observations)
        return model.policy.get_distribution(given).distribution.probs.numpy()


def some_observations(task):
    env = TASKS[task].make_env(64)
    env.reset()
    for _ in range(3):
        env.step(np.arange(64) % int(env.single_action_space.n))
    return env.observe().copy()


@pytest.mark.parametrize(
    ("task", "algorithm", "net"),
    [
        ("maze-corner", PPO, "relu"),
        ("maze-corner", A2C, "unequal"),
        ("boat-lagoon", A2C, "default"),
        ("boat-lagoon", PPO, "linear"),
    ],
)
def test_the_same_probabilities_as_in_sb3(tmp_path, here, task, algorithm, net):
    model = make_model(task, algorithm, policy_kwargs=NETS[net])
    model.save(tmp_path / "model.zip")
    import_sb3(tmp_path / "model.zip", task, tmp_path / "agent")
    agent, observations = load_agent(tmp_path / "agent"), some_observations(task)
    ours = agent.action_probabilities(observations)
    np.testing.assert_allclose(ours, theirs(model, observations), atol=1e-6)
    assert np.ptp(ours, axis=0).max() > 1e-4  # not the same everywhere: something was compared


def test_the_same_values_as_in_sb3(tmp_path, here, saved):
    model, path = saved
    import_sb3(path, "maze-corner", tmp_path / "agent")
    observations = torch.from_numpy(some_observations("maze-corner"))
    values = load_agent(tmp_path / "agent").network(observations)[1]
    with torch.no_grad():
        wanted = model.policy.predict_values(observations).squeeze(1)
    np.testing.assert_allclose(values, wanted, atol=1e-5)


def test_unpickling_gives_the_same_agent_and_prints_the_hash(tmp_path, saved, capsys):
    safe = import_sb3(saved[1], "maze-corner", tmp_path / "a")
    assert "sha256" not in capsys.readouterr().err
    trusted = import_sb3(saved[1], "maze-corner", tmp_path / "b", trust_pickle=True)
    assert f"sha256 {safe.file_sha256}" in capsys.readouterr().err
    assert trusted.sha256 == safe.sha256
    assert (trusted.unpickled, safe.unpickled) == (True, False)


def test_the_command_line(tmp_path, saved, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["import-sb3", str(saved[1]), "--task", "maze-corner", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    folder = "results/imported/mouse"
    assert (found["schema"], found["agent"]) == ("proxylab.import-sb3/1", folder)
    assert found["sha256"] == load_agent(folder).sha256
    assert proxylab.import_sb3 is import_sb3
    assert import_sb3(saved[1], "maze-corner").sha256 == found["sha256"]  # again: found
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="holds something else"):
        import_sb3(saved[1], "maze-corner", "other")


def edited(path, target, **members):
    """A copy of a zip with other members (bytes; None leaves one out)."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            raw = members.get(name.replace(".", "_"), old.read(name))
            if raw is not None:
                new.writestr(name, raw)
    return target


def line_of(*arguments, **options):
    with pytest.raises(AgentError) as caught:
        import_sb3(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_activation_that_we_do_not_have(tmp_path, here, saved):
    with zipfile.ZipFile(saved[1]) as old:
        data = json.loads(old.read("data"))
    data["policy_kwargs"]["activation_fn"] = "<class 'torch.nn.modules.activation.ELU'>"
    path = edited(saved[1], tmp_path / "elu.zip", data=json.dumps(data))
    assert "its activation is 'ELU'" in line_of(path, "maze-corner", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    given = import_sb3(path, "maze-corner", tmp_path / "out", activation="relu")
    assert given.architecture == "mlp-relu"


@pytest.mark.parametrize(
    ("task", "complaint"),
    [("boat-lagoon", "takes observations [3, 9, 9]"), ("tomato-watering", "takes observations")],
)
def test_a_zip_for_another_task(tmp_path, here, saved, task, complaint):
    assert complaint in line_of(saved[1], task, tmp_path / "out")


def test_a_recurrent_policy(tmp_path, here, saved):
    state = dict(saved[0].policy.state_dict())
    state["lstm_actor.weight_ih_l0"] = torch.zeros(4, 4)
    raw = io.BytesIO()
    torch.save(state, raw)
    path = edited(saved[1], tmp_path / "recurrent.zip", policy_pth=raw.getvalue())
    message = line_of(path, "maze-corner", tmp_path / "out")
    assert "it holds 'lstm_actor.weight_ih_l0': only PPO, A2C and DQN" in message


def test_an_unknown_task_and_a_missing_file(tmp_path, here, saved):
    with pytest.raises(UsageError, match="unknown task"):
        import_sb3(saved[1], "chess")
    assert "there is no such file" in line_of(tmp_path / "none.zip", "maze-corner")
    assert "is no file" in line_of(tmp_path, "maze-corner")
