"""No reference in a file leads to an import, and no pattern in a file searches the disk."""

import ast
from pathlib import Path

import pytest

from proxylab import cli
from proxylab.agents import references as agents
from proxylab.agents.format import save_agent
from proxylab.agents.references import check_stored, load_stored
from proxylab.errors import AgentError
from proxylab.training import plan as train_plan
from proxylab.training import sb3_policy as policy
from proxylab.training.train import train

ROOT = Path(__file__).parents[2]
SMALL = ["--total-timesteps", "64", "--num-envs", "4"]


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """(module whose import makes the canary, canary), in the current folder."""
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w')\n\n\ndef go(x):\n    return x\n"
    name = f"evil_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    return name, canary


def config(folder, start):
    path = folder / "config.toml"
    path.write_text(f'start_from = "{start}"\n')
    return str(path)


@pytest.mark.parametrize("form", ["{}:go", "{}.py:go", "./{}.py:go"])
@pytest.mark.parametrize("options", [["--dry-run"], SMALL])
def test_a_configuration_imports_nothing(evil, tmp_path, capsys, form, options):
    name, canary = evil
    path = config(tmp_path, form.format(name))
    assert cli.main(["train", "boat-race", "--config", path, *options]) == 2
    assert "code and patterns are not taken here" in capsys.readouterr().err
    assert not canary.exists()


def test_the_payload_is_live_where_a_person_types_it(evil, capsys):
    """Control: on the command line the same reference is code, and runs."""
    name, canary = evil
    cli.main(["evaluate", f"{name}:go", "--task", "boat-race", "--episodes", "1"])
    assert canary.exists()


def test_the_canary_tells_of_a_guard_that_is_gone(evil, tmp_path, monkeypatch, capsys):
    """Control: with the resolver of the command line in its place, the code runs."""
    name, canary = evil
    monkeypatch.setattr(train_plan, "check_stored", lambda _reference: None)
    monkeypatch.setattr(policy, "load_stored", agents.load_agent)
    path = config(tmp_path, f"{name}:go")
    assert cli.main(["train", "boat-race", "--config", path, *SMALL]) != 0
    assert canary.exists()


def test_a_call_imports_nothing_either(evil, tmp_path):
    """``start_from`` stands in config.json, which may be a stranger's: no caller is trusted."""
    name, canary = evil
    with pytest.raises(AgentError, match="code and patterns"):
        train("boat-race", out=tmp_path / "run", start_from=f"{name}:go", total_timesteps=64)
    assert not canary.exists()


def test_a_pattern_or_a_folder_of_agents_is_not_searched(tmp_path, monkeypatch):
    def walk(*_arguments, **_options):
        raise AssertionError("the disk is searched")

    monkeypatch.setattr(Path, "rglob", walk)
    monkeypatch.setattr(agents.glob, "glob", walk)
    for start in ("/", str(tmp_path), f"{tmp_path}/*", "zoo:boat-race/trusted-*"):
        with pytest.raises(AgentError):
            load_stored(start)
    with pytest.raises(AssertionError):  # control: the resolver of the command line searches
        agents.load_agents(str(tmp_path))


def test_what_a_configuration_may_start_from(tmp_path):
    kept = load_stored("zoo:boat-race/trusted-00")
    save_agent(tmp_path / "run", kept.spec, kept.network.state_dict())
    for reference in ("run", "run/agent.json", "run/agent.safetensors"):
        assert load_stored(tmp_path / reference).sha256
        check_stored(tmp_path / reference)


CALLERS = {
    "proxylab/agents/references.py",
    "proxylab/environments/gymnasium_ids.py",
    "proxylab/screening/detectors.py",
}
"""Who may import somebody's code; each is called with what a person typed."""


def calls(path, *names):
    tree = ast.parse(path.read_text())
    found = (ast.unparse(n.func).split(".")[-1] for n in ast.walk(tree) if isinstance(n, ast.Call))
    return sorted(set(found) & set(names))


def test_few_places_import_somebodys_code():
    users = [p for p in (ROOT / "proxylab").rglob("*.py") if calls(p, "load_own")]
    assert {str(path.relative_to(ROOT)) for path in users} == CALLERS


@pytest.mark.parametrize("module", [policy, train_plan])
def test_what_reads_configurations_knows_only_the_stored_kind(module):
    path = Path(module.__file__)
    assert calls(path, "load_stored", "check_stored")
    assert not calls(path, "load_agent", "load_agents", "load_own", "glob", "rglob")
