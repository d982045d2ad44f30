"""The agent format: what is written comes back, and nothing unsound is let in."""

import dataclasses
import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save as serialise

from proxylab.agents import loading as agents
from proxylab.agents import zoo as zoo_files
from proxylab.agents.format import (
    AgentSpec,
    read_agent,
    save_agent,
    stored_weights,
    weights_sha256,
)
from proxylab.agents.loading import policy_of
from proxylab.agents.references import load_agent, load_agents
from proxylab.agents.zoo import ZooFacts, ZooMember, pack_zoo, read_entry, zoo_entries
from proxylab.config import FORMER_ARCHITECTURES
from proxylab.errors import AgentError, UsageError
from proxylab.networks.architectures import ARCHITECTURES, build_network
from proxylab.rollouts.rollout import rollout
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeCorner

SIZES = {"width": 4, "depth": 1}
SPEC = AgentSpec("fred", "maze-corner", "proxy", "mlp", SIZES, (3, 9, 9), "uint8", 4)


def weights_for(seed):
    torch.manual_seed(seed)
    return build_network("mlp", (3, 9, 9), 4, **SIZES).state_dict()


@pytest.fixture
def folder(tmp_path):
    save_agent(tmp_path / "fred", SPEC, weights_for(0))
    return tmp_path / "fred"


def edit(folder, **changes):
    """Change fields of agent.json; ``None`` removes one."""
    record = json.loads((folder / "agent.json").read_text()) | changes
    record = {name: value for name, value in record.items() if value is not None}
    (folder / "agent.json").write_text(json.dumps(record))


def rewrite(folder, tensors):
    """Other weights, with their true sha256, so that only the contents are wrong."""
    (folder / "agent.safetensors").write_bytes(serialise(tensors))
    edit(folder, sha256=weights_sha256(tensors))


# Writing and reading


def test_an_agent_comes_back_as_it_was(folder):
    spec, weights, digest = read_agent(folder)
    assert spec == SPEC
    for name, tensor in weights_for(0).items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())
    assert digest == weights_sha256(weights)


def test_the_same_agent_gives_the_same_bytes(tmp_path, folder):
    save_agent(tmp_path / "again", SPEC, weights_for(0))
    for name in ("agent.json", "agent.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_float16_is_half_the_size_and_loads_as_float32(tmp_path, folder):
    save_agent(tmp_path / "half", SPEC, weights_for(0), dtype="float16")
    _, weights, _ = read_agent(tmp_path / "half")
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    for name, tensor in weights_for(0).items():
        np.testing.assert_array_equal(weights[name], tensor.half().float().numpy())
    sizes = [(f / "agent.safetensors").stat().st_size for f in (tmp_path / "half", folder)]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_loaded_policy_gives_the_network_s_probabilities(folder):
    env = MazeCorner(5)
    env.reset()
    network = build_network("mlp", (3, 9, 9), 4, **SIZES)
    network.load_state_dict(weights_for(0))
    observations = torch.from_numpy(env.observe()[[1, 4]].copy())
    wanted = torch.softmax(network(observations)[0], dim=-1).detach().numpy()
    policy = load_agent(folder)
    np.testing.assert_allclose(policy.probabilities(env, np.array([1, 4])), wanted, rtol=1e-5)
    assert (policy.task, policy.role, policy.sha256) == (
        "maze-corner",
        "proxy",
        read_agent(folder)[2],
    )


def test_the_batch_changes_no_episode(folder):
    """A last bit may differ; an action differs only if a draw falls within it (below 1e-4 here)."""
    policy, seeds = load_agent(folder), MazeCorner(1).sample_level_seeds(Levels("iid"), 12, 0)
    runs = [rollout(policy, MazeCorner(n), seeds, task="maze", seed=0)[0] for n in (1, 5, 12)]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.action, runs[0].action)
        np.testing.assert_allclose(run.probabilities, runs[0].probabilities, atol=1e-6)


def test_weights_from_a_stranger_need_torch_nowhere_but_in_the_network():
    code = "import sys, proxylab.agents.references; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Unsound files: one line each


def line_of(call, *arguments):
    with pytest.raises(AgentError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_agent(tmp_path):
    assert "there is no agent here" in line_of(load_agent, tmp_path / "nobody")


@pytest.mark.parametrize("name", ["agent.json", "agent.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    assert f"{name}: there is no such file" in line_of(load_agent, folder)


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_truncated_weights(folder, keep):
    path = folder / "agent.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "the file is truncated" in line_of(load_agent, folder)


def test_one_flipped_bit(folder):
    path = folder / "agent.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    assert "damaged or changed" in line_of(load_agent, folder)


def test_an_oversized_header(folder):
    (folder / "agent.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    assert "over the limit" in line_of(load_agent, folder)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"{", b'{"a": 3}', b'{"a": {"data_offsets": ["x"]}}', b"\xff\xfe", b"[" * 9999],
)
def test_a_nonsense_header(folder, header):
    (folder / "agent.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert "agent.safetensors" in line_of(load_agent, folder)


def test_weights_of_another_type(folder):
    rewrite(folder, {"policy_head.weight": np.zeros(3, np.float64)})
    assert "policy_head.weight is F64" in line_of(load_agent, folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(folder, value):
    tensors = stored_weights(weights_for(0))
    tensors["policy_head.bias"][1] = value
    rewrite(folder, tensors)
    assert "policy_head.bias holds NaN or infinite weights" in line_of(load_agent, folder)


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    assert "w holds a number" in line_of(save_agent, tmp_path, SPEC, {"w": np.array([np.nan])})
    too_large = {"w": np.array([1e6], np.float32)}
    assert "float16" in line_of(save_agent, tmp_path, SPEC, too_large, "float16")
    assert not (tmp_path / "agent.json").exists()


def test_weights_that_do_not_fit(folder):
    fitting = stored_weights(weights_for(0))
    rewrite(folder, fitting | {"policy_head.bias": np.zeros(5, np.float32)})
    assert "policy_head.bias has shape (5,), not (4,)" in line_of(load_agent, folder)
    rewrite(folder, {k: v for k, v in fitting.items() if k != "value_head.bias"})
    assert "the weights lack value_head.bias" in line_of(load_agent, folder)
    rewrite(folder, fitting | {"extra": np.zeros(1, np.float32)})
    assert "the weights hold extra" in line_of(load_agent, folder)


FORMER_SIZES = {
    "planner": {"channels": 4, "width": 8},
    "lattice-conv": {"channels": 4, "blocks": 1, "width": 8},
    "towers": SIZES,
    "centred": SIZES,
}


def test_every_former_architecture_has_a_test_and_a_name_of_now():
    assert set(FORMER_SIZES) == set(FORMER_ARCHITECTURES)
    assert set(FORMER_ARCHITECTURES.values()) <= set(ARCHITECTURES)
    assert not set(FORMER_ARCHITECTURES) & set(ARCHITECTURES)


@pytest.mark.parametrize("former", FORMER_SIZES)
def test_an_agent_with_a_former_name_of_its_architecture_acts_the_same(tmp_path, former):
    now, sizes = FORMER_ARCHITECTURES[former], FORMER_SIZES[former]
    network = build_network(now, (3, 9, 9), 4, **sizes)
    spec = dataclasses.replace(SPEC, architecture=now, sizes=sizes)
    save_agent(tmp_path / "agent", spec, network.state_dict())
    env = MazeCorner(3)
    env.reset_levels(np.arange(3), np.arange(3))
    before = load_agent(tmp_path / "agent").action_probabilities(env.observe())
    edit(tmp_path / "agent", architecture=former)
    agent = load_agent(tmp_path / "agent")
    assert agent.spec.architecture == now
    np.testing.assert_array_equal(agent.action_probabilities(env.observe()), before)
    config = TASKS["maze-corner"].train_config("proxy", architecture=former, sizes=sizes)
    assert config.architecture == now


def test_an_unknown_architecture_lists_the_known(folder):
    edit(folder, architecture="os.system")
    assert line_of(load_agent, folder).endswith(f"known are {', '.join(ARCHITECTURES)}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schema": "other/9"}, "schema 'other/9'"),
        ({"name": None}, "the field 'name' is missing"),
        ({"task": 3}, "task is not a string"),
        ({"sizes": {"width": 10**9}}, "sizes.width is not a small number"),
        ({"sizes": {"width": "4"}}, "sizes.width is not a small number"),
        ({"sizes": {"colour": 4}}, "mlp cannot have these sizes"),
        ({"observation_shape": [3, 9, -9]}, "observation_shape is not a list"),
        ({"observation_shape": "399"}, "observation_shape is not a list"),
        ({"observation_dtype": "object"}, "observation_dtype is not uint8 or float32"),
        ({"num_actions": True}, "num_actions is not a count"),
        ({"preprocessing": "eval"}, "preprocessing is not none"),
        ({"training": []}, "training is not an object"),
        ({"sha256": None}, "damaged or changed"),
    ],
)
def test_a_wrong_field(folder, changes, complaint):
    edit(folder, **changes)
    assert complaint in line_of(load_agent, folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"hello"', "[" * 100_000])
def test_json_that_is_none(folder, text):
    (folder / "agent.json").write_text(text)
    assert "agent.json" in line_of(load_agent, folder)


def test_an_agent_of_another_size_of_maze(folder):
    env = MazeCorner(2, config=dataclasses.replace(MazeCorner(1).config, size=13))
    env.reset()
    message = line_of(load_agent(folder).probabilities, env, np.array([0]))
    assert "expects observations (3, 9, 9)" in message
    assert "(3, 13, 13)" in message


def test_no_such_device(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device"):
        load_agent(folder, device="cuda")
    assert load_agent(folder, device="auto").device == "cpu"


# References


def test_a_file_names_its_folder(folder):
    for name in ("agent.json", "agent.safetensors"):
        assert load_agent(folder / name).name == str(folder)


def test_a_folder_of_agents_and_a_pattern(tmp_path):
    for seed in (10, 2, 1):
        save_agent(tmp_path / f"seed-{seed}", SPEC, weights_for(seed))
    save_agent(tmp_path / "seed-2" / "checkpoints" / "100", SPEC, weights_for(5))
    wanted = [str(tmp_path / f"seed-{seed}") for seed in (1, 2, 10)]
    assert [agent.name for agent in load_agents(tmp_path)] == wanted
    assert [agent.name for agent in load_agents(tmp_path / "seed-*")] == wanted
    assert [agent.name for agent in load_agents(tmp_path / "seed-1*")] == [wanted[0], wanted[2]]
    assert "3 agents" in line_of(load_agent, tmp_path)


# The zoo


def facts(seed):
    return ZooFacts(seed, 1000, 0.99, 0.98, f"proxylab train maze-corner --seed {seed}")


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """Twelve trusted agents, two honest, three proxy ones."""
    monkeypatch.setattr(zoo_files, "ZOO", tmp_path)
    kinds = ["trusted"] * 12 + ["honest"] * 2 + ["proxy"] * 3
    members = [ZooMember(k, SPEC, weights_for(s), facts(s)) for s, k in enumerate(kinds)]
    pack_zoo("maze-corner", members, tmp_path / "maze-corner")
    return tmp_path / "maze-corner"


def test_the_zoo_is_four_files(zoo):
    names = {"agents.json", "trusted.safetensors", "honest.safetensors", "proxy.safetensors"}
    assert {path.name for path in zoo.iterdir()} == names


def test_trusted_agents_stand_in_the_order_of_their_hash(zoo):
    trusted = [e for e in zoo_entries("maze-corner") if e.kind == "trusted"]
    assert [e.name for e in trusted] == [f"trusted-{n:02d}" for n in range(12)]
    assert [e.sha256 for e in trusted] == sorted(e.sha256 for e in trusted)
    assert [e.group for e in trusted] == ["reference"] * 3 + ["calibration"] * 9
    assert [e.facts.seed for e in trusted] != sorted(e.facts.seed for e in trusted)


def test_every_agent_of_the_zoo_has_its_own_weights(zoo):
    for entry in zoo_entries("maze-corner"):
        weights = read_entry(entry)
        for name, tensor in weights_for(entry.facts.seed).items():
            np.testing.assert_array_equal(weights[name], tensor.half().float().numpy())


def test_damage_in_the_zoo_names_the_agent(zoo):
    entry = zoo_entries("maze-corner")[3]
    raw = bytearray(entry.path.read_bytes())
    for position in range(len(raw) - 200, len(raw)):
        raw[position] ^= 1
    entry.path.write_bytes(raw)
    complaints = []
    for e in zoo_entries("maze-corner"):
        try:
            read_entry(e)
        except AgentError as error:
            complaints.append((e.name, str(error)))
    assert complaints
    assert all(name in message and name.startswith("trusted") for name, message in complaints)


def test_policy_of_a_zoo_entry_plays(zoo):
    entry = zoo_entries("maze-corner")[0]
    policy = policy_of(entry.spec, read_entry(entry), name="x", sha256=entry.sha256)
    env = MazeCorner(3)
    env.reset()
    rows = policy.probabilities(env, np.arange(3))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)


def test_a_task_without_a_zoo():
    assert "no agents are shipped for the task 'chess'" in line_of(zoo_entries, "chess")


def test_a_damaged_index(zoo):
    record = json.loads((zoo / "agents.json").read_text())
    del record["agents"][1]["group"]
    (zoo / "agents.json").write_text(json.dumps(record))
    zoo_files._index.cache_clear()
    assert "the index is damaged" in line_of(zoo_entries, "maze-corner")


def test_the_block_of_a_network_is_fixed():
    """Results are recorded with it: another block could change the last bits of old results."""
    assert agents.BLOCK_ROWS == 64
