"""Gymnasium ids in place of our environments: zips of SB3's go in, verdicts come out."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO

from proxylab.agents import import_sb3 as sb3
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.environments.gym_adapter import make_own
from proxylab.errors import AgentError
from proxylab.tasks import TASKS

LAKE = "FrozenLake-v1"
PICTURES = """
import gymnasium as gym
import numpy as np

class Pictures(gym.Env):
    observation_space = gym.spaces.Box(0, 255, (40, 36, 3), np.uint8)
    action_space = gym.spaces.Discrete(3)
    def _look(self):
        return self.np_random.integers(0, 256, (40, 36, 3)).astype(np.uint8)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 4
        return self._look(), {}
    def step(self, action):
        self.left -= 1
        return self._look(), float(action), self.left == 0, False, {}
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """A cache of the test's own, and the table of tasks as it was."""
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path / "cache"))
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


@pytest.fixture
def here(monkeypatch):
    """Zips are read in this process, which saves starting one for each."""
    from safetensors.torch import save

    from proxylab.untrusted.sb3_tensors import tensors_of

    calls = []

    def read(file):
        calls.append(file)
        state, facts = tensors_of(file)
        return save(state, metadata=facts)

    monkeypatch.setattr(sb3, "read_confined", read)
    return calls


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """``file.py:Pictures``."""
    path = tmp_path_factory.mktemp("pictures") / "own_pictures.py"
    path.write_text(PICTURES)
    return f"{path}:Pictures"


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Nine untrained PPOs of FrozenLake, one A2C and one DQN: {name: path}."""
    folder = tmp_path_factory.mktemp("zips")
    models = {f"trusted-{k}": PPO("MlpPolicy", LAKE, seed=k, device="cpu") for k in range(9)}
    models["a2c"] = A2C("MlpPolicy", LAKE, seed=9, device="cpu")
    models["dqn"] = DQN("MlpPolicy", LAKE, seed=9, device="cpu", buffer_size=10)
    for name, model in models.items():
        model.save(folder / f"{name}.zip")
    return folder


def run(capsys, *arguments, code=0):
    assert main([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    return (json.loads(out), err) if not code else err


def test_zips_are_compared_by_the_environments_id(zips, capsys):
    """The whole way: the zips are read in confined processes."""
    arguments = ["detect", str(zips / "dqn.zip"), "--trusted", str(zips / "trusted-[0-6].zip")]
    found, said = run(capsys, *arguments, "--env", LAKE, "--episodes", "12")
    assert found["task"] == LAKE
    assert found["trusted"]["n_reference"] + found["trusted"]["n_calibration"] == 7
    assert found["suspects"][0]["scores"]["higher_criticism"]["p_value"] is not None
    assert "7 trusted agents; a FLAG at alpha 0.05 takes 25: too few" in said


def test_the_number_of_trusted_agents_is_said_before_anything_runs(zips, here, capsys, monkeypatch):
    from proxylab.screening import run as screening

    def nothing(*_, **__):
        raise ValueError("nothing may run")

    monkeypatch.setattr(screening.PairedRollouts, "play_all", nothing)
    trusted = str(zips / "trusted-*.zip")
    arguments = ["detect", str(zips / "a2c.zip"), "--env", LAKE, "--trusted", trusted]
    said = run(capsys, *arguments, "--alpha", "0.2", code=2).splitlines()
    assert said[0] == "9 trusted agents; a FLAG at alpha 0.2 takes 7"
    assert "nothing may run" in said[1]


def theirs(model, observations):
    """Action probabilities of SB3's own policy; one-hot rows of DQN."""
    given, _ = model.policy.obs_to_tensor(observations)
    with torch.no_grad():
        if isinstance(model, DQN):
            best = model.policy.q_net(given).argmax(1).numpy()
            return np.eye(int(model.action_space.n), dtype=np.float32)[best]
        return model.policy.get_distribution(given).distribution.probs.numpy()


def lake_states(count=16):
    """A batch of the lake with one environment in each state: (env, observations)."""
    env = make_own(LAKE, count)
    env.reset_levels(np.arange(count), np.arange(count))
    env.core.observations[:] = np.arange(count)
    return env, np.arange(count)


@pytest.mark.parametrize("name", ["trusted-0", "a2c", "dqn"])
def test_the_same_probabilities_as_in_sb3_on_numbered_states(zips, here, name):
    env, observations = lake_states()
    kind = {"a2c": A2C, "dqn": DQN}.get(name, PPO)
    ours = load_agent(zips / f"{name}.zip").probabilities(env, observations)
    wanted = theirs(kind.load(zips / f"{name}.zip", device="cpu"), observations)
    np.testing.assert_allclose(ours, wanted, atol=1e-6)
    assert np.ptp(ours, axis=0).max() > 1e-3


def sharpen(model, observations):
    """Let the outputs of an untrained model differ between observations."""
    given, _ = model.policy.obs_to_tensor(observations)
    for parameter in model.policy.parameters():
        parameter.data *= 1.5
    if isinstance(model, DQN):  # no action is the best one everywhere
        with torch.no_grad():
            model.policy.q_net.q_net[-1].bias -= model.policy.q_net(given).mean(0)


@pytest.mark.parametrize(
    ("algorithm", "policy", "options"),
    [
        (PPO, "CnnPolicy", {}),
        (A2C, "CnnPolicy", {"net_arch": {"pi": [8], "vf": []}}),
        (DQN, "CnnPolicy", {"net_arch": [8]}),
        (PPO, "CnnPolicy", {"normalize_images": False}),
        (PPO, "MlpPolicy", {}),
        (DQN, "MlpPolicy", {"net_arch": [16], "normalize_images": False}),
    ],
)
def test_the_same_probabilities_as_in_sb3_on_images(
    tmp_path, here, pictures, algorithm, policy, options
):
    from proxylab.environments.plugins import load_own

    more = {"buffer_size": 10} if algorithm is DQN else {}
    model = algorithm(
        policy, load_own(pictures)(), seed=1, device="cpu", policy_kwargs=options, **more
    )
    env = make_own(pictures, 8)
    env.reset_levels(np.arange(8), np.arange(8))
    sharpen(model, np.moveaxis(env.observe(), -1, 1))
    model.save(tmp_path / "model.zip")
    ours = load_agent(tmp_path / "model.zip").probabilities(env, np.arange(8))
    wanted = theirs(model, np.moveaxis(env.observe(), -1, 1))
    np.testing.assert_allclose(ours, wanted, atol=1e-4)
    assert np.ptp(ours, axis=0).max() > 1e-3


def test_a_cached_zip_is_a_fresh_one(zips, here):
    """A second reading opens no zip; a damaged entry is not believed."""
    path = zips / "trusted-1.zip"
    fresh = load_agent(path)
    assert len(here) == 1
    again = load_agent(path)
    assert len(here) == 1
    assert (again.sha256, again.name, again.task) == (fresh.sha256, str(path), None)
    assert all(np.array_equal(again.weights[k], fresh.weights[k]) for k in fresh.weights)
    (weights,) = sb3.cache_folder().glob("*/agent.safetensors")
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    assert load_agent(path).sha256 == fresh.sha256
    assert len(here) == 2


def test_an_entry_of_another_zip_is_not_taken(zips, here):
    """Negative control: the cache of one zip under the name of another."""
    first, other = (load_agent(zips / f"trusted-{k}.zip") for k in (2, 3))
    entries = {
        json.loads(path.read_text())["name"]: path.parent
        for path in sb3.cache_folder().glob("*/agent.json")
    }
    for name in ("agent.json", "agent.safetensors"):
        raw = (entries["trusted-3"] / name).read_bytes()
        (entries["trusted-2"] / name).write_bytes(raw)
    assert load_agent(zips / "trusted-2.zip").sha256 == first.sha256 != other.sha256


def test_a_zip_that_changes_while_it_is_read_is_refused(zips, tmp_path, monkeypatch):
    from safetensors.torch import save

    path = tmp_path / "moving.zip"
    path.write_bytes((zips / "trusted-4.zip").read_bytes())

    def read(file):
        file.write_bytes((zips / "trusted-5.zip").read_bytes())
        return save({"action_net.bias": torch.zeros(4)})

    monkeypatch.setattr(sb3, "read_confined", read)
    with pytest.raises(AgentError, match="changed while it was read"):
        load_agent(path)


def test_every_verb_that_plays_takes_an_id(zips, here, capsys, tmp_path):
    agent, log = str(zips / "trusted-6.zip"), str(tmp_path / "log.jsonl")
    trusted = str(zips / "trusted-[0-5].zip")
    recorded, _ = run(capsys, "record", agent, "--env", LAKE, "--episodes", "5", "--out", log)
    assert recorded["task"] == LAKE
    evaluated, _ = run(capsys, "evaluate", agent, "--env", LAKE, "--episodes", "5")
    assert evaluated["agents"][0]["splits"]["train"]["sampled"]["true_return"]["mean"] <= 1
    played, _ = run(capsys, "play", "--env", LAKE, "--agent", agent)
    assert 1 <= played["steps"] <= 100
    some = ["--trusted", str(zips / "trusted-[0-57-8].zip"), "--alpha", "0.2"]
    watched, _ = run(capsys, "monitor", log, "--env", LAKE, *some, "--episodes", "5")
    assert (watched["task"], watched["episodes"]) == (LAKE, 5)
    imported, _ = run(capsys, "import-sb3", agent, "--env", LAKE, "--out", str(tmp_path / "agent"))
    assert (imported["task"], imported["architecture"]) == (LAKE, "mlp-tanh")
    detected, _ = run(capsys, "detect", log, "--env", LAKE, "--trusted", trusted, "--episodes", "5")
    assert detected["suspects"][0]["agent"] == agent


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("FrozenLake-v9", "Environment version `v9` for environment `FrozenLake`"),
        ("Nowhere-v0", "Environment `Nowhere` doesn't exist. (of another package"),
        ("no_such_package:Nowhere-v0", "no_such_package"),
        ("Pendulum-v1", "only Discrete actions are known"),
        ("Blackjack-v1", "wrap it in gymnasium.wrappers.FlattenObservation"),
    ],
)
def test_an_id_that_cannot_be_is_one_line(zips, here, capsys, env, said):
    error = run(capsys, "evaluate", str(zips / "a2c.zip"), "--env", env, code=2)
    assert error.count("\n") == 1
    assert said in error


def test_a_package_that_is_not_there_is_named(zips, here, capsys, monkeypatch):
    from proxylab.environments import gymnasium_ids

    monkeypatch.setattr(gymnasium_ids, "find_spec", lambda _: None)
    error = run(capsys, "evaluate", str(zips / "a2c.zip"), "--env", "MiniGrid-X-v0", code=2)
    assert "MiniGrid-X-v0 needs minigrid: pip install 'proxylab[minigrid]'" in error


def test_minigrid_is_flattened_as_rl_zoo_does_it():
    pytest.importorskip("minigrid")
    env = make_own("MiniGrid-FourRooms-v0", 1)
    assert env.single_observation_space.shape == (2835,)
    assert env.envs[0].unwrapped.max_steps == 100


def test_continuous_actions_are_refused_in_one_line(tmp_path, here, capsys):
    PPO("MlpPolicy", "Pendulum-v1", device="cpu").save(tmp_path / "pendulum.zip")
    error = run(capsys, "evaluate", str(tmp_path / "pendulum.zip"), "--env", LAKE, code=2)
    assert "its actions are continuous: only discrete ones are compared" in error


def test_a_zip_of_another_environment_is_refused(tmp_path, zips, here, capsys):
    error = run(capsys, "evaluate", str(zips / "a2c.zip"), "--env", "CartPole-v1", code=2)
    assert "expects observations (16,), CartPole-v1 gives (4,)" in error


def test_our_own_ids_work_with_zips_too(tmp_path, here, capsys):
    import proxylab_envs  # registers the ids

    assert "proxylab/BoatRace-v0" in gym.registry
    assert proxylab_envs.ENVS
    PPO("MlpPolicy", gym.make("proxylab/BoatRace-v0"), device="cpu").save(tmp_path / "boat.zip")
    arguments = ["evaluate", str(tmp_path / "boat.zip"), "--episodes", "3", "--task", "boat-race"]
    found, _ = run(capsys, *arguments)
    assert found["agents"][0]["task"] == "boat-race"
    assert "proxylab_envs" in sys.modules
