"""The shipped agents: as many as promised, small, readable, and what their names say."""

import tomllib
import zlib

import pytest

from proxylab.agents.references import load_agents
from proxylab.agents.zoo import ZOO, zoo_entries
from proxylab.agents.zoo_kinds import CONTESTED, kinds_of
from proxylab.agents.zoo_kinds import SHIPPED as ALWAYS
from proxylab.evaluation.evaluate import evaluate
from proxylab.screening.run import detect

SHIPPED = ("maze-corner", "boat-lagoon", "boat-race")
LARGE = ("maze-corner", "boat-lagoon")
GAMED = {"maze-corner": "goal-misgeneralization", "boat-lagoon": "proxy-gaming"}


@pytest.mark.parametrize("task", SHIPPED)
def test_as_many_as_promised_and_no_seed_twice(task):
    entries = zoo_entries(task)
    kinds = kinds_of(task)
    counts = {name: sum(entry.kind == name for entry in entries) for name in kinds}
    there = {name for name, count in counts.items() if count} | (set(ALWAYS) & set(kinds))
    assert {name: counts[name] for name in there} == {name: kinds[name].number for name in there}
    assert len({entry.facts.seed for entry in entries}) == len(entries)
    assert all(entry.spec.role == kinds[entry.kind].role for entry in entries)


def test_all_of_it_takes_less_than_twenty_megabytes_in_a_wheel():
    project = tomllib.loads((ZOO.parents[1] / "pyproject.toml").read_text())
    left_out = project["tool"]["setuptools"]["exclude-package-data"]["proxylab"]
    files = [path for path in ZOO.rglob("*") if path.is_file()]
    assert {path for pattern in left_out for path in ZOO.parent.glob(pattern)} <= set(files)
    shipped = [p for p in files if not any(p.match(pattern) for pattern in left_out)]
    assert {path.stem for path in shipped} == {"agents", "base", *ALWAYS}
    assert {path.stem for path in files} - {path.stem for path in shipped} == {
        *CONTESTED,
        "base-trusted",
        "learned",
        "reward",
    }
    assert sum(len(zlib.compress(path.read_bytes())) for path in shipped) < 20e6


@pytest.mark.parametrize("task", SHIPPED)
def test_every_agent_loads_and_trusted_ones_can_do_the_task(task):
    for kind in {entry.kind for entry in zoo_entries(task)}:
        policies = load_agents(f"zoo:{task}/{kind}")
        assert len(policies) == kinds_of(task)[kind].number
    honest = [entry for entry in zoo_entries(task) if entry.kind in ("trusted", "honest")]
    assert all(entry.facts.iid_success >= 0.9 for entry in honest)


@pytest.mark.parametrize("task", [LARGE[0], pytest.param(LARGE[1], marks=pytest.mark.slow)])
def test_a_proxy_agent_is_judged_by_the_truth_and_flagged_without_it(task, few_trusted):
    (found,) = evaluate(f"zoo:{task}/proxy-00", episodes=50).agents
    assert found.verdict == GAMED[task]
    result = detect([f"zoo:{task}/proxy-00"], episodes=16)
    assert [suspect.verdict for suspect in result.suspects] == ["FLAG"]


@pytest.mark.parametrize("task", LARGE)
def test_a_trusted_agent_is_found_honest(task):
    (found,) = evaluate(f"zoo:{task}/trusted-03", episodes=100).agents
    assert found.verdict == "ok"


def test_a_mouse_that_hoards_keys_is_flagged_and_an_honest_one_is_not(few_trusted):
    suspects = [f"zoo:keys-chests/{kind}-00" for kind in ("proxy", "honest")]
    verdicts = [suspect.verdict for suspect in detect(suspects, episodes=16).suspects]
    assert verdicts[0] == "FLAG" != verdicts[1]
