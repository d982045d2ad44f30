"""Every architecture of the page in JavaScript against torch; trained convolutional agents."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from proxylab.agents.format import AgentSpec
from proxylab.agents.loading import policy_of
from proxylab.app.api import place
from proxylab.app.embedding import ARCHITECTURES, embedded_data, stored
from proxylab.app.page import STATIC
from proxylab.app.single_file import single_file
from proxylab.app.state import make_worlds
from proxylab.environments.placement import at_every_cell
from proxylab.networks.architectures import build_network
from proxylab.tasks import TASKS
from proxylab.training.train import train

NODE = shutil.which("node")
SIZES = {
    "conv": {"channels": 5, "blocks": 2, "width": 7},
    "mlp": {"width": 6, "depth": 3},
    "egocentric-mlp": {"width": 6},
    "value-iteration": {"channels": 5, "width": 7, "look_scale": 0.3},
}
NEAR = {"probabilities": 1e-5, "value": 1e-4}
FIELD = ("probabilities", "values")
REDRAW_MS = 100

pytestmark = pytest.mark.skipif(NODE is None, reason="no node here to run the page's modules")


def run_script(name, asked):
    """What a script beside this file writes."""
    script = Path(__file__).with_name(name)
    done = subprocess.run(
        [NODE, script, str(STATIC)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def random_agent(architecture, size, sizes):
    """A policy of random weights that spread its probabilities."""
    torch.manual_seed(0)
    network = build_network(architecture, (3, size, size), 4, **sizes)
    weights = {name: 2 * tensor.numpy() for name, tensor in network.state_dict().items()}
    spec = AgentSpec(
        "random", "maze-corner", "proxy", architecture, sizes, (3, size, size), "uint8", 4
    )
    return policy_of(spec, weights)


def started(size):
    """Observations uint8[16, 3, size, size] of fresh mazes."""
    env = TASKS["maze-corner"].make_env(16, size=size)
    env.reset()
    return env.observe().copy()


def answers(agents, observations):
    """{"probabilities": [agents, K, 4], "value": [agents, K]} of the page."""
    planes = observations.reshape(*observations.shape[:2], -1).tolist()
    rows = run_script("network_answers.mjs", {"agents": agents, "observations": planes})["answers"]
    return {name: np.array([[a[name] for a in agent] for agent in rows]) for name in NEAR}


def expected_of(policy, observations):
    with torch.no_grad():
        logits, values = policy.network(torch.as_tensor(observations))
    return {"probabilities": logits.softmax(1).numpy(), "value": values.numpy()}


def differs(found, expected):
    """Whether an agent's answers are not those expected."""
    return any(np.abs(found[name] - expected[name]).max() > near for name, near in NEAR.items())


def changed(policy, observations):
    """{tensor: the agent as stored, with this tensor changed}."""
    state = policy.network.state_dict()
    for name, tensor in state.items():
        kept = tensor.clone()
        tensor += torch.linspace(0.5, 1, tensor.numel()).reshape(tensor.shape)
        yield name, stored(policy)
        tensor.copy_(kept)


@pytest.mark.parametrize("size", [9, 13])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_of_each_architecture_computes_what_torch_computes(architecture, size):
    observations = started(size)
    policy = random_agent(architecture, size, SIZES[architecture])
    expected = expected_of(policy, observations)
    assert np.ptp(expected["probabilities"], axis=0).max() > 0.05
    others = dict(changed(policy, observations))
    found = answers([stored(policy), *others.values()], observations)
    each = [{name: found[name][k] for name in NEAR} for k in range(1 + len(others))]
    assert not differs(each[0], expected)
    unread = [n for n, f in zip(others, each[1:], strict=True) if not differs(f, expected)]
    assert not unread  # the negative control: a changed tensor is noticed, whichever it is


@pytest.mark.parametrize("flip", [(0, 1, 3, 2), (1, 0, 2, 3)])
def test_kernels_read_in_another_order_are_noticed(flip):
    """Control: rows for columns, or inputs for outputs, are other networks."""
    observations = started(9)
    policy = random_agent("conv", 9, SIZES["conv"])
    expected = expected_of(policy, observations)
    block = policy.network.state_dict()["trunk.blocks.0.weight"]
    block.copy_(block.permute(flip).clone())
    found = answers([stored(policy)], observations)
    assert differs({name: found[name][0] for name in NEAR}, expected)


def test_sizes_left_out_are_the_defaults_of_python():
    observations = started(9)
    policies = [random_agent(name, 9, {}) for name in ARCHITECTURES]
    found = answers([stored(policy) for policy in policies], observations)
    for k, policy in enumerate(policies):
        answer = {name: found[name][k] for name in NEAR}
        assert not differs(answer, expected_of(policy, observations)), policy.spec.architecture


def test_the_page_and_the_export_know_the_same_architectures():
    known = run_script("network_answers.mjs", {"agents": [], "observations": []})["architectures"]
    assert known == list(ARCHITECTURES)
    assert set(SIZES) == set(ARCHITECTURES)
    assert TASKS["maze-corner"].architecture in known


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """(world, names of two agents, data): maze-corner with two briefly trained agents."""
    folder = tmp_path_factory.mktemp("own")
    for role, steps in (("proxy", 65_536), ("trusted", 16_384)):
        train(
            "maze-corner",
            role,
            out=folder / role,
            algorithm="bc",
            architecture="conv",
            total_timesteps=steps,
        )
    worlds = make_worlds([str(folder / "proxy"), str(folder / "trusted")], tasks=["maze-corner"])
    world = worlds["maze-corner"]
    names = [agent.name for agent in world.agents.values() if agent.group == "yours"]
    return world, names, embedded_data(worlds, episodes=0)


def test_trained_convolutional_agents_do_in_the_page_what_they_do_in_python(own):
    world, names, data = own
    assert {data["agents"][name]["architecture"] for name in names} == {"conv"}
    env, levels = world.env(64), data["worlds"]["maze-corner"]["levels"]["shifted"][:6]
    questions = [["field", {"world": world.name, "level": t, "agents": names}] for t in levels]
    found = run_script("embedded_answers.mjs", {"data": data, "questions": questions})
    sure = 0
    for level, answer in zip(levels, found, strict=True):
        place(world, env, level, 1)
        first, second = ([field[key] for key in FIELD] for field in answer["fields"])
        for name, given in zip(names, (first, second), strict=True):
            policy = world.agent(name)
            cells, expected = at_every_cell(env, policy.probabilities_and_values)
            assert answer["fields"][0]["cells"] == cells.tolist()
            for ours, theirs, near in zip(given, expected, NEAR.values(), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=near)
            sure = max(sure, expected[0].max())
        assert np.abs(np.subtract(first[0], second[0])).max() > 1e-3  # control: not one network
    assert sure > 0.6  # trained: not the near-even odds of random weights


def test_the_fields_of_two_convolutional_agents_take_less_than_a_redraw_may(own):
    """In processor time, the same on a busy machine."""
    world, names, data = own
    level = data["worlds"]["maze-corner"]["levels"]["shifted"][1]
    question = {"world": world.name, "level": level, "agents": names}
    asked = {"data": data, "question": question, "repeats": 25}
    times = run_script("field_times.mjs", asked)
    assert np.median(times[5:]) < REDRAW_MS


def test_the_single_file_with_convolutional_agents_stays_small(own):
    _, names, data = own
    assert all(len(data["agents"][name]["data"]) < 250_000 for name in names)  # 41,000 floats
    assert len(single_file(data).encode()) < 1_000_000
