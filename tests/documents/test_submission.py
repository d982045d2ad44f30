"""The recipe for submitting a detector, followed as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.reproduce import run
from proxylab.reproduce.experiment import load_experiment, measured_file
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending" / "submission.md"
COMMAND = re.compile(r"<!-- submission: run -->\n```bash\n(?P<line>.*?)\n```", re.DOTALL)
OWN = "episode_length"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    return tmp_path


@pytest.mark.slow  # a benchmark of its own; half a minute
def test_the_recipe_gives_rows_of_the_own_detector(results, capsys):
    program, *arguments = shlex.split(COMMAND.search(PAGE.read_text(encoding="utf-8"))["line"])
    assert program == "proxylab"
    assert main(arguments) == 0
    tables = results / "runs" / "smoke-own" / "tables"
    classes = read_table(tables / "hard-track-classes.csv")
    own = {row["class"]: row for row in classes if row["detector"] == OWN}
    assert {"fresh", "hack", "rare 30%", "weak"} <= set(own)
    assert own["hack"]["auroc"] > own["rare 1%"]["auroc"]
    assert {row["detector"] for row in classes} > {OWN, "higher_criticism"}
    labels = read_table(tables / "hard-track-labels.csv")
    kinds = ("half-hearted", "distilled", "learned")
    assert {row["kind"]: row["agents"] for row in labels} == dict.fromkeys(kinds, 1)
    assert {row["label"] for row in labels} <= {"positive", "negative", "excluded"}
    assert not list(results.glob("distilled/*/*.parquet"))  # the log that was cloned is gone
    assert (tables / "hard-track.json").is_file()
    assert not (results / "tables").exists()
    assert "hard-track: writes at most" in capsys.readouterr().err


def test_a_changed_file_is_measured_again(tmp_path):
    track, names = ROOT / "experiments" / "hard_track.py", []
    for number, extra in enumerate(("", "# another version\n")):
        file = tmp_path / f"version_{number}.py"
        text = (ROOT / "docs" / "examples" / "my_detector.py").read_text() + extra
        file.write_text(text)
        experiment = load_experiment(track, (f"{file}:EpisodeLength",))
        settings = experiment.module.SWEEP["smoke"]
        point = experiment.module.points(settings)[0]
        names.append(measured_file(experiment, settings, point).name)
    assert names[0] != names[1]


def test_experiments_without_detectors_refuse_one(results):
    with pytest.raises(UsageError, match="seeds compares no detectors"):
        run.reproduce("seeds", "smoke", detectors=("occupancy_js",), dry_run=True)


def test_an_unknown_detector_is_refused_before_anything_runs(results):
    with pytest.raises(UsageError, match="unknown detector"):
        run.reproduce("hard-track", "smoke", detectors=("ocupancy",))
    assert not any(results.iterdir())


def test_a_full_disk_is_refused_before_anything_runs(results, monkeypatch):
    usage = type("Usage", (), {"free": 5e6})()
    monkeypatch.setattr(run.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UsageError, match="5 MB are free, and up to 1,096 are needed"):
        run.reproduce("hard-track", "smoke", processes=1)
