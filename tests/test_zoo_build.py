"""The building of a zoo, with training replaced by agents that are written at once."""

import json

import numpy as np
import pytest

from proxylab import zoo_build, zoo_files
from proxylab.agent_files import AgentSpec, save_agent
from proxylab.agents import load_agents
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.learning.networks import build_network
from proxylab.zoo_build import FIRST_SEED, NUMBER, build_zoo, planned_runs


@pytest.fixture(autouse=True)
def untrained(tmp_path, monkeypatch):
    """Agents with fresh weights instead of trained ones, and few episodes to measure them."""
    import torch

    def write_agents(jobs, _processes, **_options):
        for job in jobs:
            torch.manual_seed(job.config.seed)
            network = build_network("towers", (3, 9, 9), 4, width=4, depth=1)
            spec = AgentSpec(
                f"{job.config.role}-{job.config.seed}",
                job.config.task,
                job.config.role,
                "towers",
                {"width": 4, "depth": 1},
                (3, 9, 9),
                "uint8",
                4,
            )
            save_agent(job.folder, spec, network.state_dict())

    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(zoo_build, "run_jobs", write_agents)
    monkeypatch.setattr(zoo_build, "MEASURED_EPISODES", 5)
    monkeypatch.setattr(zoo_build, "ZOO", tmp_path / "zoo")
    monkeypatch.setattr(zoo_files, "ZOO", tmp_path / "zoo")


def test_no_seed_is_in_two_kinds():
    runs = planned_runs("maze-corner", NUMBER)
    seeds = [job.config.seed for _, job in runs]
    assert len(set(seeds)) == len(seeds) == sum(NUMBER.values())
    assert len({job.folder for _, job in runs}) == len(runs)
    assert {kind: job.config.role for kind, job in runs} == zoo_build.ROLE


def test_a_built_zoo_can_be_named(tmp_path):
    built = build_zoo("maze-corner", {"trusted": 5, "honest": 2, "proxy": 1})
    assert built.folder == str(tmp_path / "zoo" / "maze-corner")
    assert len(load_agents("zoo:maze-corner/trusted")) == 5
    assert len(load_agents("zoo:maze-corner/reference")) == 3
    (agent,) = load_agents("zoo:maze-corner/honest-01")
    assert agent.spec.role == "trusted"
    assert agent.name == "zoo:maze-corner/honest-01"


def test_the_facts_are_of_each_agent():
    built = build_zoo("maze-corner", {"trusted": 3, "honest": 2})
    for entry in built.entries:
        first = FIRST_SEED[entry.kind]
        assert first <= entry.facts.seed < first + 3
        assert entry.facts.command == (
            f"proxylab train maze-corner --role trusted --seed {entry.facts.seed}"
        )
        assert 0 <= entry.facts.iid_success <= 1
        assert 0 <= entry.facts.shifted_success <= 1


def test_the_weights_are_those_of_the_seed(tmp_path):
    built = build_zoo("maze-corner", {"proxy": 2})
    for entry in built.entries:
        run = tmp_path / "results" / "runs" / "maze-corner" / "proxy" / f"seed-{entry.facts.seed}"
        for (name, whole), (_, half) in zip(
            sorted(load_agents(run)[0].network.state_dict().items()),
            sorted(load_agents(f"zoo:maze-corner/{entry.name}")[0].network.state_dict().items()),
            strict=True,
        ):
            np.testing.assert_array_equal(whole.half().float(), half, err_msg=name)


def test_the_command_names_steps_that_are_not_the_preset_s():
    (entry,) = build_zoo("maze-corner", {"proxy": 1}, total_timesteps=4096).entries
    assert entry.facts.command.endswith("--role proxy --seed 2000 --total-timesteps 4096")
    assert entry.facts.timesteps == 4096


@pytest.mark.parametrize("numbers", [{}, {"trusted": 0}, {"trusted": -1, "proxy": 3}])
def test_an_empty_zoo_is_refused(numbers):
    with pytest.raises(UsageError, match="at least one agent"):
        build_zoo("maze-corner", numbers)


def test_zoo_build_and_list_agents_on_the_command_line(capsys):
    arguments = ["--trusted", "3", "--honest", "1", "--proxy", "0", "--json"]
    assert main(["zoo", "build", "maze-corner", *arguments]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["schema"] == "proxylab.zoo-build/1"
    assert main(["list", "agents", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["agent"] for row in rows] == [agent["agent"] for agent in built["agents"]]
    assert main(["zoo", "build", "chess"]) == 2
