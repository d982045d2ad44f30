"""proxylab tune: a killed search resumes with the same trials; shifted returns are never read."""

import importlib.util
import json
import subprocess
import sys
import tomllib

import pytest

from proxylab.cli import main
from proxylab.config import PPOConfig
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.training import tuning
from proxylab.training.train import make_config
from proxylab.training.tuning import objective, objective_column, space, tune

pytestmark = [
    pytest.mark.usefixtures("few_levels"),
    pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="extra tune"),
]
STEPS = 2_048
KILLED = """
import os, sys
from dataclasses import replace
from proxylab.tasks import TASKS
from proxylab.training import callbacks, tuning

few = dict(check_levels=8, final_eval_levels=8)  # as in this process, by the fixture few_levels
TASKS["boat-race"] = replace(TASKS["boat-race"], **few)
started, real = [], tuning.run_job

def dying(*given, **named):
    started.append(1)
    if len(started) == 3:
        os._exit(9)
    return real(*given, **named)

tuning.run_job = dying
tuning.tune("boat-race", trials=4, total_timesteps={steps}, out=sys.argv[1])
"""


@pytest.fixture(scope="module")
def straight(tmp_path_factory, few_levels):
    """The report of a search without interruption."""
    folder = tmp_path_factory.mktemp("straight")
    return tune("boat-race", trials=4, total_timesteps=STEPS, out=folder)


def test_a_killed_search_resumes_with_the_same_trials(straight, tmp_path, monkeypatch):
    code = KILLED.replace("{steps}", str(STEPS))
    words = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(words, capture_output=True).returncode == 9
    trained, real = [], tuning.run_job
    counted = lambda *a, **k: trained.append(1) or real(*a, **k)  # noqa: E731
    monkeypatch.setattr(tuning, "run_job", counted)
    resumed = tune("boat-race", trials=4, total_timesteps=STEPS, out=tmp_path)
    assert len(trained) == 2  # the interrupted one and the last
    assert [trial.number for trial in resumed.trials] == [0, 1, 2, 3]
    for one, other in zip(resumed.trials, straight.trials, strict=True):
        assert (one.ppo, one.value) == (other.ppo, other.value)


def test_a_finished_search_trains_nothing_and_goes_on_when_asked(straight, monkeypatch):
    trained, real = [], tuning.run_job
    counted = lambda *a, **k: trained.append(1) or real(*a, **k)  # noqa: E731
    monkeypatch.setattr(tuning, "run_job", counted)
    folder = store.Path(straight.study).parent
    again = tune("boat-race", trials=4, total_timesteps=STEPS, out=folder)
    assert (again, trained) == (straight, [])


def test_the_first_trial_is_the_preset_and_the_best_is_no_worse(straight):
    preset = make_config("boat-race").ppo
    first = straight.trials[0]
    assert first.ppo["learning_rate"] == pytest.approx(preset.learning_rate)
    assert (first.ppo["n_steps"], first.value) == (preset.n_steps, straight.preset)
    assert straight.best.value == max(trial.value for trial in straight.trials)
    others = {trial.ppo["learning_rate"] for trial in straight.trials}
    assert len(others) == 4


def test_the_objective_is_the_return_of_the_trained_channel_of_the_run(straight):
    for trial in straight.trials:
        rows = store.read_table(store.Path(trial.run) / store.METRICS)
        assert trial.value == rows[-1]["iid/proxy_return"]


def test_shifted_returns_are_never_read():
    """Control: the rows lack them altogether; another channel changes the value."""
    row = {"iid/true_return": 0.25, "iid/proxy_return": 0.5}
    lagoon, maze = make_config("boat-lagoon"), make_config("maze-corner")
    assert objective([row], objective_column(lagoon)) == 0.5
    assert objective([row], objective_column(maze)) == 0.25
    assert not any("shifted" in column for column in tuning.COLUMNS.values())
    with pytest.raises(UsageError, match="cannot judge"):
        objective_column(make_config("boat-lagoon", reward="mix:0.5"))


def test_the_best_file_trains_with_the_best_hyperparameters(straight, capsys, tmp_path):
    found = tomllib.loads(store.Path(straight.config).read_text())["ppo"]
    assert found == (straight.best.ppo if straight.best.number else {})
    words = ["train", "boat-race", "--config", straight.config, "--dry-run", "--json"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "proxylab" in capsys.readouterr().out


def test_every_drawn_value_makes_a_valid_configuration():
    for task in ("maze-corner", "boat-lagoon", "tomato-watering"):
        preset = make_config(task).ppo
        for name, domain in space(preset).items():
            for value in (getattr(domain, "low", None), getattr(domain, "high", None)):
                if value is not None:
                    PPOConfig(**{name: value})


def test_other_settings_in_the_same_folder_are_refused(straight, capsys):
    folder = str(store.Path(straight.study).parent)
    words = ["tune", "boat-race", "--total-timesteps", "4096", "--out", folder]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "other settings" in captured.err


def test_tune_as_json(straight, capsys):
    folder = str(store.Path(straight.study).parent)
    words = ["tune", "boat-race", "--trials", "4", "--total-timesteps", str(STEPS)]
    assert main([*words, "--out", folder, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], len(found["trials"])) == ("proxylab.tune/1", 4)
    assert found["best"]["value"] == straight.best.value


def test_without_optuna_it_is_one_line(monkeypatch, capsys):
    find = importlib.util.find_spec
    hidden = lambda name: None if name == "optuna" else find(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    assert main(["tune", "boat-race"]) == 2
    assert 'pip install "proxylab[tune]"' in capsys.readouterr().err
