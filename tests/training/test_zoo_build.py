"""The building of a zoo, with training replaced by agents that are written at once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from proxylab.agents import zoo as zoo_files
from proxylab.agents.format import AgentSpec, save_agent
from proxylab.agents.references import load_agents
from proxylab.agents.zoo import admits
from proxylab.agents.zoo_kinds import (
    CHANGES,
    CONTESTED,
    KINDS,
    LEARNED_KIND,
    SHIPPED,
    kinds_of,
)
from proxylab.cli import main
from proxylab.errors import AgentError, UsageError
from proxylab.networks.architectures import build_network
from proxylab.tasks import TASKS
from proxylab.training import zoo_build, zoo_check
from proxylab.training.zoo_build import build_zoo, planned_runs

PACKAGED = zoo_files.ZOO


@pytest.fixture(autouse=True)
def untrained(tmp_path, monkeypatch):
    """Agents with fresh weights instead of trained ones, and few episodes to measure them."""
    import torch

    def write_agents(jobs, _processes, **_options):
        for job in jobs:
            torch.manual_seed(job.config.seed)
            network = build_network("mlp", (3, 9, 9), 4, width=4, depth=1)
            spec = AgentSpec(
                f"{job.config.role}-{job.config.seed}",
                job.config.task,
                job.config.role,
                "mlp",
                {"width": 4, "depth": 1},
                (3, 9, 9),
                "uint8",
                4,
                training={"fingerprint": job.config.fingerprint},
            )
            save_agent(job.folder, spec, network.state_dict())

    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(zoo_build, "run_jobs", write_agents)
    monkeypatch.setattr(zoo_check, "run_jobs", write_agents)
    few = {name: replace(task, competence_levels=5) for name, task in TASKS.items()}
    monkeypatch.setattr(zoo_build, "TASKS", few)
    monkeypatch.setattr(zoo_build, "ZOO", tmp_path / "zoo")
    monkeypatch.setattr(zoo_files, "ZOO", tmp_path / "zoo")
    monkeypatch.setattr(zoo_files, "admits", lambda task, competence: True)


@pytest.mark.parametrize("task", CHANGES)
def test_no_seed_is_in_two_kinds(task, monkeypatch):
    monkeypatch.setattr(zoo_files, "ZOO", PACKAGED)  # some start from shipped agents
    kinds = kinds_of(task)
    runs = planned_runs(task, kinds)
    seeds = [job.config.seed for _, job in runs]
    assert tuple(kinds) == (*SHIPPED, *CONTESTED, LEARNED_KIND) == KINDS[2:]
    assert len(set(seeds)) == len(seeds) == sum(kind.number for kind in kinds.values())
    assert len({job.folder for _, job in runs}) == len(runs)
    assert {name: job.config.role for name, job in runs} == {n: k.role for n, k in kinds.items()}


def test_agents_of_a_kind_take_its_changes_in_turn():
    jobs = [job for _, job in planned_runs("maze-corner", kinds_of("maze-corner", ["weak"], 4))]
    steps = [change["total_timesteps"] for change in CHANGES["maze-corner"]["weak"]]
    assert [job.config.total_timesteps for job in jobs] == [*steps, steps[0]]


def test_a_built_zoo_can_be_named(tmp_path):
    built = build_zoo("maze-corner", ["trusted", "honest", "proxy"], 5)
    assert built.folder == str(tmp_path / "zoo" / "maze-corner")
    assert len(load_agents("zoo:maze-corner/trusted")) == 5
    assert len(load_agents("zoo:maze-corner/reference")) == 3
    (agent,) = load_agents("zoo:maze-corner/honest-01")
    assert agent.spec.role == "trusted"
    assert agent.name == "zoo:maze-corner/honest-01"


def test_a_kind_is_built_beside_those_that_are_there():
    build_zoo("maze-corner", ["trusted", "proxy"], 3)
    before = load_agents("zoo:maze-corner/trusted-01")[0].sha256
    built = build_zoo("maze-corner", ["honest"], 2)
    names = [entry.name for entry in built.entries]
    assert names[2:5] == ["trusted-02", "honest-00", "honest-01"]
    assert len(names) == 8
    assert load_agents("zoo:maze-corner/trusted-01")[0].sha256 == before


def test_the_facts_are_of_each_agent():
    built = build_zoo("maze-corner", ["trusted", "honest"], 3)
    for entry in built.entries:
        first = kinds_of("maze-corner")[entry.kind].first_seed
        assert first <= entry.facts.seed < first + 3
        assert entry.facts.command == (
            f"proxylab train maze-corner --role trusted --seed {entry.facts.seed} --algorithm bc"
        )
        assert 0 <= entry.facts.iid_success <= 1
        assert 0 <= entry.facts.shifted_success <= 1


def test_the_weights_are_those_of_the_seed(tmp_path):
    built = build_zoo("maze-corner", ["proxy"], 2)
    for entry in built.entries:
        run = tmp_path / "results" / "runs" / "maze-corner" / "proxy" / f"seed-{entry.facts.seed}"
        for (name, whole), (_, half) in zip(
            sorted(load_agents(run)[0].network.state_dict().items()),
            sorted(load_agents(f"zoo:maze-corner/{entry.name}")[0].network.state_dict().items()),
            strict=True,
        ):
            np.testing.assert_array_equal(whole.half().float(), half, err_msg=name)


def test_the_command_names_what_is_not_the_preset_s():
    (entry,) = build_zoo("maze-corner", ["proxy"], 1, total_timesteps=4096).entries
    assert entry.facts.command.endswith("--role proxy --seed 2000 --total-timesteps 4096")
    assert entry.facts.timesteps == 4096
    (job,) = [
        job for _, job in planned_runs("maze-corner", kinds_of("maze-corner", ["different"], 1))
    ]
    line = zoo_build.command_line(job.config)
    assert "--architecture value-iteration --total-timesteps 393216" in line
    assert "--ppo.learning-rate 0.007" in line


@pytest.mark.parametrize("number", [0, -1])
def test_an_empty_zoo_is_refused(number):
    with pytest.raises(UsageError, match="at least one agent"):
        build_zoo("maze-corner", number=number)


def test_zoo_build_and_list_agents_on_the_command_line(capsys):
    arguments = ["--kinds", "trusted", "honest", "--number", "3", "--json"]
    assert main(["zoo", "build", "maze-corner", *arguments]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["schema"] == "proxylab.zoo-build/1"
    assert main(["list", "agents", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["agent"] for row in rows] == [agent["agent"] for agent in built["agents"]]
    assert main(["zoo", "build", "chess"]) == 2
    assert main(["zoo", "build", "boat-race", "--kinds", "weak"]) == 2
    assert "boat-race has no kind of agent 'weak'" in capsys.readouterr().err


def test_agents_that_a_wheel_leaves_out_are_named(tmp_path):
    build_zoo("maze-corner", ["honest"], 2)
    (tmp_path / "zoo" / "maze-corner" / "honest.safetensors").unlink()
    with pytest.raises(AgentError, match="zoo build maze-corner --kinds honest"):
        load_agents("zoo:maze-corner/honest-01")


def test_candidates_below_the_bound_are_neither_reference_nor_calibration(monkeypatch):
    measured = [0.95, 0.5, 0.92, 0.8999, 0.9, 0.99]
    values = iter(measured)
    monkeypatch.setattr(zoo_files, "admits", admits)
    monkeypatch.setattr(zoo_build.CompetenceScale, "competence", lambda *_: next(values))
    entries = build_zoo("maze-corner", ["trusted"], 6).entries
    rejected = {e.name for e in entries if e.group == "rejected"}
    assert {e.facts.competence for e in entries if e.name in rejected} == {0.5, 0.8999}
    admitted = {agent.name for agent in load_agents("zoo:maze-corner/trusted")}
    assert admitted == {f"zoo:maze-corner/{e.name}" for e in entries if e.name not in rejected}
    assert {agent.name for agent in load_agents("zoo:maze-corner/trusted-*")} == admitted
    assert len(load_agents("zoo:maze-corner/rejected")) == 2
    for name in rejected:
        assert load_agents(f"zoo:maze-corner/{name}")[0].name == f"zoo:maze-corner/{name}"


def test_agents_that_the_zoo_holds_are_not_trained_again(monkeypatch, tmp_path):
    build_zoo("maze-corner", ["honest"], 3)
    before = {e.name: e.sha256 for e in zoo_files.zoo_entries("maze-corner")}
    trained = []
    monkeypatch.setattr(zoo_build, "run_jobs", lambda jobs, *_a, **_k: trained.extend(jobs))
    build_zoo("maze-corner", ["honest"], 3)
    assert not trained
    assert {e.name: e.sha256 for e in zoo_files.zoo_entries("maze-corner")} == before


def test_agents_that_are_trained_again_have_the_same_bytes(capsys):
    build_zoo("maze-corner", ["proxy", "honest"], 4)
    checked = zoo_check.check_zoo("maze-corner", ["proxy", "honest"], 3)
    assert [agent.equal for agent in checked.agents] == [True] * 6
    assert len({agent.agent for agent in checked.agents}) == 6
    assert main(["zoo", "check", "maze-corner", "--kinds", "proxy", "--number", "2"]) == 0
    assert "2 of 2 agents: same bytes" in capsys.readouterr().out


def test_an_agent_that_trains_to_other_weights_is_caught(monkeypatch, capsys):
    build_zoo("maze-corner", ["proxy"], 2)
    real = zoo_check.trained_agent

    def other(job):
        spec, weights = real(job)
        name = next(iter(weights))
        return spec, {**weights, name: weights[name] + np.float32(1)}

    monkeypatch.setattr(zoo_check, "trained_agent", other)
    assert main(["zoo", "check", "maze-corner", "--kinds", "proxy"]) == 1
    assert "0 of 2 agents: same bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--total-timesteps", "64"], "is of build"), (["--kinds", "hack"], "no shipped agent")],
)
def test_a_check_that_can_check_nothing_is_refused(arguments, why, capsys):
    build_zoo("maze-corner", ["proxy"], 1)
    assert main(["zoo", "check", "maze-corner", *arguments]) == 2
    assert why in capsys.readouterr().err
