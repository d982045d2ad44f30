"""What agents would do from every cell, against the maze's own distances."""

import json

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.cli import main
from proxylab.evaluation.action_fields import action_field
from proxylab.tasks import TASKS


@pytest.mark.parametrize(("script", "landmark"), [("optimal", 0), ("corner-seeker", 1)])
def test_every_arrow_of_a_script_comes_one_step_nearer_to_its_goal(script, landmark):
    env = TASKS["maze-corner"].make_env(1)
    seeds = env.seeds_of_split("shifted", np.array([5], np.uint64))
    env.reset_levels(seeds, np.array([0]))
    before = env.level(0)
    field = action_field(ScriptedPolicy("maze-corner", script), env)
    distances = env.landmark_distances(seeds)[0, landmark]
    size = env.config.size
    for cell, move in zip(field.cells, field.greedy, strict=True):
        here, there = cell @ (size, 1), (cell + move) @ (size, 1)
        if distances[here] > 0:
            assert distances[there] == distances[here] - 1
    assert len(field.cells) == (~before.walls).sum() - 1
    assert env.level(0).to_ascii() == before.to_ascii() == field.level


def test_the_command_writes_a_figure_and_says_what_it_drew(tmp_path, capsys):
    out = tmp_path / "field.png"
    agents = ["script:maze-corner/optimal", "zoo:maze-corner/proxy-00"]
    assert main(["field", *agents, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert [field["agent"] for field in found["fields"]] == agents
    for field in found["fields"]:
        assert np.allclose(np.sum(field["probabilities"], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["script:boat-lagoon/racer"], "no maze"),
        (["script:maze-corner/optimal", "--out", "field.txt"], ".png or .svg"),
        (["script:maze-corner/optimal", "zoo:boat-race/proxy-00"], "task"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words, said, capsys):
    assert main(["field", *words]) == 2
    assert said in capsys.readouterr().err
