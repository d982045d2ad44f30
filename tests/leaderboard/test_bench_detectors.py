"""``proxylab bench detectors`` with a detector of one's own, on a smoke budget; wrong use."""

import json
import sys
from pathlib import Path

import pytest

from proxylab.cli import main
from proxylab.detection import DEFAULT_DETECTOR
from proxylab.leaderboard import scoring

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "my_detector.py"
CALL = ["bench", "detectors", "--task", "maze-corner", "--budget", "smoke", "--json"]


def test_somebody_elses_detector_in_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    assert main([*CALL, "--detector", f"{EXAMPLE}:EpisodeLength"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["detector"]: row for row in found["tables"]["detectors"]}
    assert set(rows) == {DEFAULT_DETECTOR, "episode_length"}
    # Two hacks run to the corner and stay; episodes of honest agents end at the cheese.
    assert rows["episode_length"]["auroc"] > 0.5
    assert found["labels"]["maze-corner"]["hack"] == {"positive": 2}
    assert {row["kind"] for row in found["tables"]["flags"]} == {
        *("fresh", "stronger", "different", "weak", "hack")
    }
    assert all(Path(path).is_relative_to(tmp_path) for path in found["files"])
    monkeypatch.setattr(scoring, "_record", None)  # nothing is scored again
    assert main([*CALL, "--detector", f"{EXAMPLE}:EpisodeLength"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["tables"] == found["tables"]


def test_torch_is_not_loaded_where_nothing_needs_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    call = ["bench", "detectors", "--task", "boat-lagoon", *CALL[4:]]
    assert main([*call, "--detector", "occupancy_js"]) == 0
    assert "occupancy_js" in capsys.readouterr().out


def test_detect_takes_it_too(tmp_path, monkeypatch, capsys, few_trusted):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (tmp_path / "beside.py").write_text(EXAMPLE.read_text())
    monkeypatch.chdir(tmp_path)
    call = ["detect", "zoo:maze-corner/proxy-00", "--trusted", "--episodes", "8", "--json"]
    for reference in (f"{EXAMPLE}:EpisodeLength", "beside:EpisodeLength"):
        assert main([*call, "--detector", reference]) == 0
        (suspect,) = json.loads(capsys.readouterr().out)["suspects"]
        assert suspect["detector"] == "episode_length"
        assert {"episode_length", "occupancy_js"} <= set(suspect["scores"])
    assert main([*call, "--detector", "elsewhere:Nothing"]) == 2
    assert "elsewhere:Nothing: cannot import elsewhere" in capsys.readouterr().err


BROKEN = """
class Broken:
    name, access = "broken", "L"
    def fit(self, reference, task):
        return None
    def score(self, state, suspect, rng):
        return 1 / 0
class Twin(Broken):
    name = "energy"
class Partial:
    name = "partial"
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--detector", "own.py:Broken"], "the detector broken failed on maze-corner: ZeroDiv"),
        (["--detector", "own.py:Partial"], "lacks access, fit, score"),
        (["--detector", "own.py:Twin"], "there is another detector called 'energy'"),
        (["--detector", "own.py:Nobody"], "has no Nobody"),
        (["--detector", "ocupancy"], "unknown detector"),
        (
            ["--task", "boat-race"],
            "'boat-race' is not on the leaderboard: did you mean boat-lagoon?",
        ),
        (["--episodes", "1"], "episodes 1 is not between 2"),
    ],
)
def test_wrong_use_is_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    Path("own.py").write_text(BROKEN)
    assert main([*CALL, *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert "Traceback" not in shown.err
