"""An exported agent acts as it did: in Stable-Baselines3, in ONNX Runtime, and back here."""

import json

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

import proxylab
from proxylab.agents.format import AgentSpec, save_agent
from proxylab.agents.import_sb3 import import_sb3
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.errors import AgentError, UsageError
from proxylab.export.onnx_networks import TRUNKS, onnx_bytes
from proxylab.export.run import export_agent
from proxylab.networks.architectures import ARCHITECTURES, build_network
from proxylab.networks.channels_first import channels_first
from proxylab.tasks import TASKS
from proxylab.training.vec_env import BatchedVecEnv
from proxylab.untrusted.onnx_model import check_model
from proxylab_envs.levels import Levels

TASK_OF = {"egocentric-mlp": "tomato-watering", "mlp": "boat-lagoon", "mlp-relu": "boat-lagoon"}
ENV_OF = {"nature-cnn": {"size": 37}}
"""Options of the environment of an architecture that needs large images."""
SIZES = {
    "conv": {"channels": 4, "blocks": 2, "width": 16},
    "mlp": {"width": 12, "depth": 3},
    "egocentric-mlp": {"width": 12},
    "impala": {"channels": [4, 8], "width": 16},
    "value-iteration": {"channels": 8},
    "mlp-tanh": {"policy": [16, 8], "value": [4]},
    "mlp-relu": {"policy": [16], "value": [8]},
    "nature-cnn": {"width": 8, "policy": [6], "value": [4]},
}
IN_SB3 = [(name, False) for name in ARCHITECTURES] + [("mlp-tanh", True), ("mlp-relu", True)]
"""(architecture, whether each head reads one perceptron only)."""


def make_agent(folder, architecture, own_heads=False, **training):
    """A random agent; ``own_heads``: each head reads one of the two perceptrons."""
    task = TASK_OF.get(architecture, "maze-corner")
    training = {"env": ENV_OF.get(architecture, {}), **training}
    env = TASKS[task].make_env(1, **training["env"])
    space, actions = env.single_observation_space, int(env.single_action_space.n)
    torch.manual_seed(5)
    network = build_network(architecture, space.shape, actions, **SIZES[architecture])
    with torch.no_grad():
        network.policy_head.weight *= 5  # distributions that are far from uniform
        if architecture == "nature-cnn":  # which takes 255 for white
            network.trunk.cnn[0].weight *= 255
        if own_heads:
            first = network.trunk.policy[-2].out_features
            network.policy_head.weight[:, first:] = 0
            network.value_head.weight[:, :first] = 0
    facts = (architecture, SIZES[architecture], space.shape, space.dtype.name, actions)
    spec = AgentSpec("test", task, "proxy", *facts, training=training)
    save_agent(folder, spec, network.state_dict())
    return load_agent(folder)


def played_env(agent, count=64):
    """Environments of the agent's task after a few steps: observations that occur."""
    env = TASKS[agent.task].make_env(count, **agent.spec.training.get("env", {}))
    env.reset()
    for step in range(5):
        env.step(np.arange(count) * (step + 1) % int(env.single_action_space.n))
        env.reset_done()
    return env


def everywhere(agent, env):
    return agent.probabilities(env, np.arange(env.num_envs))


def sb3_probabilities(model, env):
    with torch.no_grad():
        given = model.policy.obs_to_tensor(channels_first(env.observe()))[0]
        return model.policy.get_distribution(given).distribution.probs.numpy()


def change(agent, amount):
    """Change one number of the policy head, for torch's network and for the forward pass."""
    agent.network.policy_head.bias[0] += amount
    agent.weights["policy_head.bias"][0] += amount


# ONNX


@pytest.mark.parametrize("architecture", TRUNKS)
def test_onnx_gives_the_same_probabilities(tmp_path, architecture):
    pytest.importorskip("onnxruntime")
    agent = make_agent(tmp_path / "agent", architecture)
    export_agent(tmp_path / "agent", "onnx", tmp_path / "agent.onnx")
    env = played_env(agent, 70)
    ours, again = everywhere(agent, env), everywhere(load_agent(tmp_path / "agent.onnx"), env)
    np.testing.assert_allclose(again, ours, atol=1e-5)
    assert np.ptp(ours, axis=0).max() > 1e-4  # not the same everywhere: something was compared
    change(agent, 1e-3)  # control
    assert np.abs(everywhere(agent, env) - again).max() > 1e-5


@pytest.mark.parametrize("architecture", TRUNKS)
def test_the_package_onnx_accepts_the_file_with_any_batch(tmp_path, architecture):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    agent = make_agent(tmp_path, architecture)
    raw = onnx_bytes(agent.spec, {k: v.numpy() for k, v in agent.network.state_dict().items()})
    onnx.checker.check_model(onnx.load_from_string(raw), full_check=True)
    check_model(raw)
    session = runtime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        observations = channels_first(played_env(agent, count).observe())
        (logits,) = session.run(["logits"], {"observations": observations})
        wanted = agent.network(torch.from_numpy(observations))[0]
        np.testing.assert_allclose(logits, wanted, atol=1e-5)


def test_every_architecture_is_exported_or_refused():
    assert set(TRUNKS) | {"value-iteration"} == set(ARCHITECTURES)


@pytest.mark.parametrize("verb", ["evaluate", "detect"])
def test_an_exported_agent_of_the_zoo_is_taken_back(tmp_path, capsys, verb):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "boat.onnx"
    assert main(["export", "zoo:boat-race/trusted-00", "--to", "onnx", "--out", str(file)]) == 0
    more = ["--task", "boat-race", "--episodes", "5", "--json"]
    more += ["--trusted"] if verb == "detect" else []
    capsys.readouterr()
    assert main([verb, str(file), *more]) == 0
    assert "boat.onnx" in capsys.readouterr().out


# Stable-Baselines3


@pytest.mark.parametrize(("architecture", "own_heads"), IN_SB3)
def test_stable_baselines3_gives_the_same_probabilities(tmp_path, architecture, own_heads):
    agent = make_agent(tmp_path / "agent", architecture, own_heads)
    export_agent(tmp_path / "agent", "sb3", tmp_path / "agent.zip")
    env = played_env(agent)
    model = PPO.load(tmp_path / "agent.zip", device="cpu")
    ours, theirs = everywhere(agent, env), sb3_probabilities(model, env)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert np.ptp(ours, axis=0).max() > 1e-4
    chosen, _ = model.predict(channels_first(env.observe()), deterministic=True)
    np.testing.assert_array_equal(chosen, ours.argmax(axis=1))
    given = model.policy.obs_to_tensor(channels_first(env.observe()))[0]
    values = agent.probabilities_and_values(env, np.arange(env.num_envs))[1]
    predicted = model.policy.predict_values(given).squeeze(1).detach()
    np.testing.assert_allclose(predicted, values, atol=1e-5)
    change(agent, 1e-3)  # control
    assert np.abs(everywhere(agent, env) - theirs).max() > 1e-5


PLAIN = [("mlp", False), ("mlp-tanh", True), ("mlp-relu", True), ("mlp-relu", False)]


@pytest.mark.parametrize(("architecture", "own_heads"), PLAIN)
def test_an_mlp_comes_back_by_import_sb3(tmp_path, architecture, own_heads):
    agent = make_agent(tmp_path / "agent", architecture, own_heads)
    exported = export_agent(tmp_path / "agent", "sb3", tmp_path / "agent.zip")
    assert "import-sb3 takes back" in exported.note
    import_sb3(tmp_path / "agent.zip", agent.task, tmp_path / "back")
    env, back = played_env(agent), load_agent(tmp_path / "back")
    np.testing.assert_allclose(everywhere(back, env), everywhere(agent, env), atol=1e-5)
    if own_heads:  # nothing had to be joined: the very same weights
        assert back.sha256 == agent.sha256


@pytest.mark.parametrize("architecture", ["conv", "mlp-tanh"])
def test_a_trunk_of_ours_is_refused_by_import_sb3_as_the_export_says(tmp_path, architecture):
    """Also ``mlp-tanh`` whose heads read two perceptrons of different depths."""
    make_agent(tmp_path / "agent", architecture)
    exported = export_agent(tmp_path / "agent", "sb3", tmp_path / "agent.zip")
    assert "takes SB3's own policies only" in exported.note
    with pytest.raises(AgentError, match="only PPO, A2C and DQN with MlpPolicy or CnnPolicy"):
        import_sb3(tmp_path / "agent.zip", "maze-corner", tmp_path / "back")


def test_training_goes_on_in_stable_baselines3(tmp_path):
    agent = make_agent(tmp_path / "agent", "conv", env={"size": 7})
    export_agent(tmp_path / "agent", "sb3", tmp_path / "agent.zip")
    env = BatchedVecEnv(TASKS["maze-corner"].make_env(8, size=7), Levels("train"))
    model = PPO.load(tmp_path / "agent.zip", env=env, device="cpu")
    before = sb3_probabilities(model, played_env(agent))
    model.learn(8 * model.n_steps)
    assert model.n_steps == TASKS["maze-corner"].ppo.n_steps
    assert np.abs(sb3_probabilities(model, played_env(agent)) - before).max() > 0


# The verb


def run(capsys, *arguments):
    code = main(["export", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_default_name_and_an_existing_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "zoo:boat-race/trusted-00", "--to", "onnx", "--json")
    written = json.loads(out)
    assert (code, written["schema"]) == (0, "proxylab.export/1")
    assert written["file"] == "boat-race-trusted-00.onnx"
    assert written["num_bytes"] == (tmp_path / written["file"]).stat().st_size
    assert written["agent_sha256"] == load_agent("zoo:boat-race/trusted-00").sha256
    assert proxylab.export_agent is export_agent
    (tmp_path / written["file"]).write_text("mine")
    code, out, err = run(capsys, "zoo:boat-race/trusted-00", "--to", "onnx")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "exists already: --force replaces it" in err
    assert (tmp_path / written["file"]).read_text() == "mine"
    assert run(capsys, "zoo:boat-race/trusted-00", "--to", "onnx", "--force")[0] == 0
    assert (tmp_path / written["file"]).stat().st_size == written["num_bytes"]
    assert [path.name for path in tmp_path.iterdir()] == [written["file"]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere", "--to", "onnx"], "nowhere: this is no run folder"),
        (["zoo:boat-race/trusted-99", "--to", "sb3"], "trusted-99"),
        (["zoo:boat-race/trusted-*", "--to", "sb3"], "code and patterns are not taken here"),
        (["script:maze-corner/optimal", "--to", "onnx"], "a script has no network to export"),
        (["evil:go", "--to", "onnx"], "code and patterns are not taken here"),
        (["zoo:boat-race/trusted-00", "--to", "pickle"], "pickle"),
        (["zoo:boat-race/trusted-00", "--to", "onnx", "--out", "a.zip"], "ends in .onnx"),
        (["zoo:boat-race/trusted-00", "--to", "sb3", "--out", "a.onnx"], "ends in .zip"),
        (["zoo:boat-race/trusted-00", "--to", "sb3", "--out", "file/a.zip"], "file"),
        (["zoo:procgen-maze/trusted-00", "--to", "onnx"], "value-iteration needs a loop"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    tmp_path, capsys, monkeypatch, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert complaint in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_agent_that_does_not_fit_its_task(tmp_path):
    agent = make_agent(tmp_path / "agent", "conv")
    wrong = AgentSpec(**{**vars(agent.spec), "task": "tomato-watering"})
    save_agent(tmp_path / "wrong", wrong, agent.network.state_dict())
    with pytest.raises(AgentError, match="has observations"):
        export_agent(tmp_path / "wrong", "sb3", tmp_path / "wrong.zip")
    with pytest.raises(UsageError, match="unknown format 'pt'"):
        export_agent(tmp_path / "agent", "pt")
    assert not (tmp_path / "wrong.zip").exists()
