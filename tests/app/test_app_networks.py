"""The networks and rules in JavaScript against those in Python."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agents
from proxylab.app.api import fields, place
from proxylab.app.embedding import embedded_data
from proxylab.app.page import STATIC
from proxylab.environments.placement import at_every_cell
from proxylab_envs.channels import OUTCOMES

NODE = shutil.which("node")
CELLS = ("maze-corner", "procgen-maze", "boat-race", "tomato-watering")

pytestmark = pytest.mark.skipif(NODE is None, reason="no node here to run the page's modules")


@pytest.fixture(scope="module")
def data(worlds):
    return embedded_data(worlds, episodes=0)


def answers(data, questions):
    """What static/embedded.js answers."""
    script = Path(__file__).with_name("embedded_answers.mjs")
    asked = json.dumps({"data": data, "questions": questions})
    done = subprocess.run(
        [NODE, script, str(STATIC)], input=asked, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asker(policy):
    """Function (env, indices) -> [probabilities] or [probabilities, values]."""
    if hasattr(policy, "probabilities_and_values"):
        return policy.probabilities_and_values
    return lambda env, indices: [policy.probabilities(env, indices)]


def opened_up(text):
    """A maze with some walls taken out, so that it has loops."""
    rows = [list(row) for row in text.splitlines()]
    for k in range(2, len(rows) - 2):
        if rows[k][k] == "#" and "." in (rows[k][k - 1], rows[k][k + 1]):
            rows[k][k] = "."
    return "\n".join("".join(row) for row in rows)


def levels_of(data, world, count=6):
    levels = [text for split in data["worlds"][world]["levels"].values() for text in split[:count]]
    return levels + ([opened_up(levels[-1])] if world == "maze-corner" else [])


@pytest.mark.parametrize("world", CELLS)
def test_action_probabilities_and_values_are_those_of_python(data, worlds, world):
    entry = next(e for e in data["catalogue"]["worlds"] if e["name"] == world)
    agents, env = [a["name"] for a in entry["agents"]], worlds[world].env(64)
    levels = levels_of(data, world)
    questions = [["field", {"world": world, "level": level, "agents": agents}] for level in levels]
    for level, found in zip(levels, answers(data, questions), strict=True):
        assert found["level"] == level
        place(worlds[world], env, level, 1)
        for field in found["fields"]:
            ask = asker(worlds[world].agent(field["agent"]))
            cells, expected = at_every_cell(env, ask)
            assert field["cells"] == cells.tolist()
            assert np.abs(np.array(field["probabilities"]) - expected[0]).max() < 1e-5
            if len(expected) > 1:
                assert np.abs(np.array(field["values"]) - expected[1]).max() < 1e-4


@pytest.mark.parametrize("world", ["maze-corner", "procgen-maze", "boat-race"])
def test_an_episode_replayed_in_the_environment_goes_the_same_way(data, worlds, world):
    entry = next(e for e in data["catalogue"]["worlds"] if e["name"] == world)
    env, levels = worlds[world].env(1), levels_of(data, world, 3)
    cases = [(level, agent["name"]) for level in levels for agent in entry["agents"]]
    questions = [
        ["episode", {"world": world, "level": level, "agent": agent, "run": 3, "greedy": False}]
        for level, agent in cases
    ]
    outcomes = set()
    for (level, _), found in zip(cases, answers(data, questions), strict=True):
        place(worlds[world], env, level, 1)
        states = [int(env.core.state_ids[0])]
        for action in found["actions"]:
            env.step(np.array([action]))
            states.append(int(env.core.state_ids[0]))
        assert states == found["states"]
        assert env.done[0]
        channels = dict(zip(env.channels, env.core.returns[0].tolist(), strict=True))
        assert channels == pytest.approx(found["returns"])
        outcomes.add(found["outcome"])
        assert found["outcome"] == OUTCOMES[env.core.outcomes[0]]
    assert len(outcomes) > 1


def test_a_garden_that_never_dries_goes_the_same_way(data, worlds):
    """Weather is drawn otherwise, so the two agree where there is none."""
    world, level = "tomato-watering", data["worlds"]["tomato-watering"]["levels"]["train"][0]
    calm = json.loads(json.dumps(data))
    calm["worlds"][world]["drying"] = 0
    agents = [f"zoo:{world}/{kind}-00" for kind in ("proxy", "trusted")]
    questions = [
        ["episode", {"world": world, "level": level, "agent": agent, "run": 0, "greedy": True}]
        for agent in agents
    ]
    env = type(worlds[world].env(1))(1, config=type(worlds[world].env(1).config)(drying=0))
    for name, found in zip(agents, answers(calm, questions), strict=True):
        place(worlds[world], env, level, 1)
        (policy,) = load_agents(name)
        for step, action in enumerate(found["actions"]):
            probabilities = policy.probabilities(env, np.array([0]))[0]
            assert np.abs(probabilities - found["probabilities"][step]).max() < 1e-5
            env.step(np.array([action]))
            assert env.core.watered[0].tolist() == found["watered"][step + 1]
        assert env.core.returns[0].tolist() == pytest.approx(list(found["returns"].values()))
        assert found["outcome"] == OUTCOMES[env.core.outcomes[0]]


def test_boats_do_and_see_what_they_do_in_python(data, worlds):
    world = "boat-lagoon"
    agents = [f"zoo:{world}/{kind}-00" for kind in ("proxy", "trusted")]
    levels = levels_of(data, world, 2)
    questions = [["field", {"world": world, "level": level, "agents": agents}] for level in levels]
    for level, found in zip(levels, answers(data, questions), strict=True):
        asked = {"world": world, "level": level, "agents": agents}
        expected = fields(worlds, asked)
        assert found["level"] == level == expected["level"]
        assert found["lagoon"] == expected["lagoon"]
        for name, shape in expected["course"].items():
            np.testing.assert_allclose(found["course"][name], shape, atol=1e-3)
        for ours, theirs in zip(found["fields"], expected["fields"], strict=True):
            assert ours["headings"] == theirs["headings"]
            for name, near in (("cells", 1.1e-3), ("probabilities", 1e-5), ("values", 1e-4)):
                np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=near)


def test_a_race_replayed_in_the_environment_goes_the_same_way(data, worlds):
    world, env = "boat-lagoon", worlds["boat-lagoon"].env(1)
    moved = [["level", {"world": world, "split": "train", "seed": 1, "spoke": 15, "targets": True}]]
    levels = [*levels_of(data, world, 1), answers(data, moved)[0]["level"]]
    cases = [(level, f"zoo:{world}/{kind}-00") for level in levels for kind in ("proxy", "trusted")]
    questions = [
        ["episode", {"world": world, "level": level, "agent": agent, "run": 1, "greedy": False}]
        for level, agent in cases
    ]
    outcomes = set()
    for (level, agent), found in zip(cases, answers(data, questions), strict=True):
        place(worlds[world], env, level, 1)
        policy = worlds[world].agent(agent)
        for step, action in enumerate(found["actions"]):
            np.testing.assert_allclose(env.core.position[0], found["positions"][step], atol=1e-9)
            assert env.core.timers[0].tolist() == found["timers"][step]
            if step % 25 == 0:
                probabilities = policy.probabilities(env, np.array([0]))[0]
                assert np.abs(probabilities - found["probabilities"][step]).max() < 1e-5
            env.step(np.array([action]))
        assert env.done[0]
        assert env.core.returns[0].tolist() == pytest.approx(list(found["returns"].values()))
        assert found["outcome"] == OUTCOMES[env.core.outcomes[0]]
        outcomes.add(found["outcome"])
    assert {"proxy", "intended"} <= outcomes
