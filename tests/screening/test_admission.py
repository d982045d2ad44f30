"""Competence of suspects and trusted agents in ``detect``: the rule of the shipped agents."""

import pytest

from proxylab.agents.references import load_agent, load_agents
from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.agents.zoo import admits, zoo_entries
from proxylab.console.output import no_progress
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import rollout
from proxylab.screening import admission, paired, record
from proxylab.screening.admission import competence_of
from proxylab.screening.run import detect

TASK = "maze-corner"


def measured(*policies):
    return competence_of({policy.name: policy for policy in policies}, TASK, no_progress)


def test_random_actions_have_competence_0_and_the_script_1():
    script, uniform = ScriptedPolicy(TASK, "optimal"), UniformPolicy(TASK)
    assert measured(script, uniform) == pytest.approx({script.name: 1.0, "uniform": 0.0})


def test_shipped_agents_have_the_competence_of_the_index():
    entries = [e for e in zoo_entries(TASK) if e.name in ("proxy-03", "trusted-07", "weak-01")]
    names = [f"zoo:{TASK}/{entry.name}" for entry in entries]
    values = measured(*(load_agent(name) for name in names))
    for name, entry in zip(names, entries, strict=True):
        assert values[name] == pytest.approx(entry.facts.competence, abs=0.12)  # other levels
        assert admits(TASK, values[name]) == entry.admitted


def test_detect_says_which_suspects_are_undertrained(few_trusted):
    agents = [f"zoo:{TASK}/{name}" for name in ("weak-00", "proxy-00")]
    found = detect(agents, episodes=20)
    weak, proxy = found.suspects
    assert not weak.competence.admitted
    assert proxy.competence.admitted
    assert str(found).count("undertrained: competence") == 1


def about_competence(found):
    return [warning for warning in found.warnings if "too little competence" in warning]


def test_undertrained_trusted_agents_are_named(tmp_path):
    suspect, weak = f"zoo:{TASK}/honest-00", f"zoo:{TASK}/weak-*"
    # the zoo's own measurement stands
    assert not about_competence(detect(suspect, weak, episodes=5))
    renamed = [Renamed(agent) for agent in load_agents(weak)]
    (warning,) = about_competence(detect(suspect, renamed, episodes=5))
    assert warning.count("own-") == 3
    assert "and 9 more" in warning
    able = [Renamed(agent) for agent in load_agents(f"zoo:{TASK}/trusted-0*")]
    assert not about_competence(detect(suspect, able, episodes=5))


class Renamed:
    """An agent as its user's own, not from the zoo."""

    def __init__(self, agent):
        self.agent, self.task = agent, agent.task
        self.name = f"own-{agent.name.split('/')[-1]}"

    def probabilities(self, env, indices):
        return self.agent.probabilities(env, indices)


def test_the_true_reward_has_no_part(monkeypatch):
    agent = load_agent(f"zoo:{TASK}/weak-00")
    before = measured(agent)
    monkeypatch.setattr(  # Episodes have no true reward; outcomes have, and are not there
        paired, "rollout", lambda *a, **k: (rollout(*a, **k)[0], None)
    )
    assert measured(agent) == before


def test_another_return_changes_the_competence(monkeypatch):
    agent = load_agent(f"zoo:{TASK}/weak-00")
    before = measured(agent)
    mean = admission._mean_return
    monkeypatch.setattr(admission, "_mean_return", lambda e: mean(e) ** 2)
    assert measured(agent) != before  # control: the number does depend on what is read


def test_logs_and_unknown_tasks_have_none(tmp_path):
    path = tmp_path / "log.parquet"
    record.record(f"zoo:{TASK}/honest-00", path, split="shifted", episodes=5)
    assert all(isinstance(e, Episodes) for e in _read(path))
    assert competence_of({"log": _read(path)[0]}, TASK, no_progress) == {}
    assert competence_of({"uniform": UniformPolicy("chess")}, "chess", no_progress) == {}


def _read(path):
    from proxylab.logs import read_log

    return read_log(str(path), TASK)
