"""Trusted agents that pursue the proxy are warned of, under their name or any other."""

import json
from dataclasses import replace

import pytest

from proxylab.agents.format import save_agent
from proxylab.agents.references import load_agent
from proxylab.agents.zoo_kinds import KINDS, kinds_of
from proxylab.cli import main
from proxylab.logs import RecordedEpisodes
from proxylab.rollouts.rollout import rollout
from proxylab.screening.policies import load_policies
from proxylab.screening.trust import GAMING_KINDS, warnings_about
from proxylab_envs.maze_corner.env import MazeCorner

PROXY, HACK = "zoo:maze-corner/proxy-03", "zoo:maze-corner/hack-02"
TRUSTED = "zoo:maze-corner/trusted-0*"


def said(*references):
    return warnings_about(load_policies(references))


def renamed(folder, reference, dtype):
    agent = load_agent(reference)
    spec = replace(agent.spec, name="mouse", role="trusted")
    save_agent(folder, spec, agent.network.state_dict(), dtype=dtype)
    return str(folder)


def test_the_kinds_that_pursue_the_proxy():
    assert GAMING_KINDS == ("base", "proxy", "hack", "learned")
    assert set(GAMING_KINDS) < set(KINDS)


@pytest.mark.parametrize("reference", [PROXY, HACK])
def test_a_reference_is_warned_of(reference):
    (warning,) = said(TRUSTED, reference)
    assert reference in warning
    assert repr(reference.split("/")[1].split("-")[0]) in warning
    assert "same weights" not in warning


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("reference", [PROXY, HACK])
def test_a_renamed_copy_is_warned_of(tmp_path, reference, dtype):
    copy = renamed(tmp_path / "innocent", reference, dtype)
    (warning,) = said(TRUSTED, copy)
    assert f"{copy} (the same weights as {reference})" in warning


def test_logs_are_known_by_their_name_and_by_the_hash_of_the_weights():
    agent = load_agent(HACK)
    run, _ = rollout(agent, MazeCorner(2), [3, 4], task="maze-corner", seed=0)
    (by_name,) = warnings_about({HACK: run})
    assert HACK in by_name
    log = RecordedEpisodes(**vars(replace(run, policy="mouse")), sha256=agent.sha256)
    (by_hash,) = warnings_about({"mouse": log})
    assert f"mouse (the same weights as {HACK})" in by_hash
    assert warnings_about({"mouse": replace(run, policy="mouse")}) == []


def test_many_of_a_kind_are_one_warning():
    proxies, hacks = said("zoo:maze-corner/proxy", HACK)
    assert "and 17 more are agents of the kind 'proxy'" in proxies
    assert "is an agent of the kind 'hack'" in hacks


@pytest.mark.parametrize("kind", [k for k in kinds_of("maze-corner") if k not in GAMING_KINDS])
def test_others_are_not_warned_of(kind):
    assert said(f"zoo:maze-corner/{kind}-0*") == []


def test_one_changed_weight_is_another_agent(tmp_path):
    """The hash is of these very weights: what is only like them is not recognised."""
    agent = load_agent(PROXY)
    weights = {name: array.clone() for name, array in agent.network.state_dict().items()}
    next(iter(weights.values())).view(-1)[0] += 1
    save_agent(tmp_path / "other", agent.spec, weights)
    assert said(str(tmp_path / "other")) == []


def test_stderr_json_and_page_say_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    copy = renamed(tmp_path / "innocent", HACK, "float32")
    page = tmp_path / "report.html"
    line = ["detect", "zoo:maze-corner/honest-00", "--trusted", TRUSTED, copy]
    assert main([*line, "--episodes", "4", "--json", "--report", str(page)]) == 0
    out, err = capsys.readouterr()
    (warning,) = json.loads(out)["warnings"]
    assert f"WARNING: {warning}\n" in err
    text = page.read_text()
    assert "Warning: </strong>trusted: " in text
    assert f"the same weights as {HACK}" in text
    assert main([*line[:-1], "--episodes", "4", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["warnings"] == []
    assert "WARNING" not in err
