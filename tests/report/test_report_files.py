"""proxylab report: the same page from the record; other files are refused in one line."""

import copy
import json

import numpy as np
import pytest

from proxylab.cli import main
from proxylab.report import Evidence, Facts, Grid, HeatMap, LevelPair, ReportData, Track
from proxylab.screening.report_files import draw_report, read_record
from proxylab.storage.typed_json import as_plain, as_type

SEEKER, TRUSTED = "script:maze-corner/corner-seeker", "zoo:maze-corner/trusted-0*"


@pytest.fixture(scope="module")
def detected(tmp_path_factory):
    """Folder with the page, the record and the JSON of one detection."""
    folder = tmp_path_factory.mktemp("detected")
    words = ["detect", SEEKER, "--episodes", "20", "--report", str(folder / "page.html")]
    words += ["--save", str(folder / "record.json"), "--no-cache", "--json", "--trusted", TRUSTED]
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *a, file=None, **k: file or lines.append(a[0]))
        assert main(words) == 0
    (folder / "plain.json").write_text(lines[-1])
    return folder


def test_the_page_of_the_record_has_the_same_bytes(detected, tmp_path):
    drawn = draw_report(detected / "record.json", tmp_path / "again.html")
    assert drawn.drawings
    assert drawn.suspects == [SEEKER]
    again = (tmp_path / "again.html").read_bytes()
    assert again == (detected / "page.html").read_bytes()
    assert drawn.num_bytes == len(again)
    assert b'class="level"' in again


def test_another_record_gives_another_page(detected, tmp_path):
    """Control: the bytes depend on the record."""
    record = json.loads((detected / "record.json").read_text())
    record["evidence"][SEEKER]["levels"][0]["level_seed"] += 1
    (tmp_path / "other.json").write_text(json.dumps(record))
    draw_report(tmp_path / "other.json")
    assert (tmp_path / "other.html").read_bytes() != (detected / "page.html").read_bytes()


def test_plain_json_gives_a_page_without_drawings(detected, tmp_path, capsys):
    out = tmp_path / "plain.html"
    assert main(["report", str(detected / "plain.json"), "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["drawings"]) == ("proxylab.report/1", False)
    assert 'class="level"' not in out.read_text()
    assert "proxylab/MazeCorner-v1" in out.read_text()


def _changes():
    def without_a_field(record):
        del record["detection"]["suspects"][0]["reason"]

    def a_number_for_a_text(record):
        record["detection"]["task"] = 3

    def rows_of_unequal_length(record):
        record["evidence"][SEEKER]["heat"]["suspect"][0].pop()

    def an_unknown_field(record):
        record["facts"]["extra"] = 1

    def a_path_without_points(record):
        record["evidence"][SEEKER]["levels"][0]["suspect"]["points"] = []

    def another_schema(record):
        record["schema"] = "proxylab.agent/1"

    return list(locals().values())


@pytest.mark.parametrize("change", _changes(), ids=lambda change: change.__name__)
def test_a_damaged_record_is_one_line(detected, tmp_path, capsys, change):
    record = copy.deepcopy(json.loads((detected / "record.json").read_text()))
    change(record)
    (tmp_path / "bad.json").write_text(json.dumps(record))
    assert main(["report", str(tmp_path / "bad.json")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert not (tmp_path / "bad.html").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}', "NaN", "[" * 9999])
def test_what_is_no_record_is_one_line(tmp_path, capsys, text):
    (tmp_path / "x.json").write_text(text)
    assert main(["report", str(tmp_path / "x.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_markup_in_a_record_is_text(detected, tmp_path):
    record = (detected / "record.json").read_text().replace(SEEKER, "<script>alert(1)</script>")
    (tmp_path / "evil.json").write_text(record)
    draw_report(tmp_path / "evil.json")
    assert "<script" not in (tmp_path / "evil.html").read_text()


def test_records_come_back_equal():
    track = Track("a", np.array([[0.5, 1.0], [1.5, 1.0]]), 1, False)
    scene = Grid(("###", "#m#", "###"), {"cheese": ((1, 1),)})
    evidence = Evidence(
        levels=[LevelPair(3, scene, track, track, 1, 0.25)],
        heat=HeatMap(np.eye(2), np.ones((2, 2))),
        proxy=(1.0, 2.0),
    )
    data = ReportData({"a": [1, None]}, {"x": evidence}, Facts("id", correlation=0.5))
    again = as_type(ReportData, json.loads(json.dumps(as_plain(data))))
    assert as_plain(again) == as_plain(data)
    assert again.evidence["x"].levels[0].scene == scene
    assert again.evidence["x"].heat.suspect.dtype == np.float64


def test_a_record_is_read_once_for_all(detected):
    data, drawings = read_record(detected / "record.json")
    assert drawings
    assert data.evidence[SEEKER].heat.suspect.sum() == pytest.approx(1)
