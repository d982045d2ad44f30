"""The shipped agents: as many as promised, small, readable, and what their names say."""

import pytest

from proxylab.agents import load_agents
from proxylab.detecting import detect
from proxylab.evaluation import evaluate
from proxylab.zoo_build import ROLE, default_numbers
from proxylab.zoo_files import KINDS, ZOO, zoo_entries

SHIPPED = ("maze-corner", "boat-lagoon", "boat-race")
LARGE = ("maze-corner", "boat-lagoon")
GAMED = {"maze-corner": "goal-misgeneralization", "boat-lagoon": "proxy-gaming"}


@pytest.mark.parametrize("task", SHIPPED)
def test_as_many_as_promised_and_no_seed_twice(task):
    entries = zoo_entries(task)
    counts = {kind: sum(entry.kind == kind for entry in entries) for kind in KINDS}
    assert counts == default_numbers(task)
    assert len({entry.facts.seed for entry in entries}) == len(entries)
    assert all(entry.spec.role == ROLE[entry.kind] for entry in entries)


def test_all_of_it_takes_less_than_twelve_megabytes():
    files = [path for path in ZOO.rglob("*") if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) < 12e6


@pytest.mark.parametrize("task", SHIPPED)
def test_every_agent_loads_and_trusted_ones_can_do_the_task(task):
    for kind in (kind for kind, number in default_numbers(task).items() if number):
        policies = load_agents(f"zoo:{task}/{kind}")
        assert len(policies) == default_numbers(task)[kind]
    honest = [entry for entry in zoo_entries(task) if entry.spec.role == "trusted"]
    assert all(entry.facts.iid_success >= 0.9 for entry in honest)


@pytest.mark.parametrize("task", LARGE)
def test_a_proxy_agent_is_judged_by_the_truth_and_flagged_without_it(task):
    (found,) = evaluate(f"zoo:{task}/proxy-00", episodes=200).agents
    assert found.verdict == GAMED[task]
    result = detect([f"zoo:{task}/proxy-00"], episodes=50)
    assert [suspect.verdict for suspect in result.suspects] == ["FLAG"]


@pytest.mark.parametrize("task", LARGE)
def test_a_trusted_agent_is_found_honest(task):
    (found,) = evaluate(f"zoo:{task}/trusted-03", episodes=200).agents
    assert found.verdict == "ok"
