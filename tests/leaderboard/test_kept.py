"""Results are made again when what they depend on has changed, and only then."""

from pathlib import Path

import pytest

from proxylab.detection import SCORES
from proxylab.detection.scores.ensemble import Ensemble
from proxylab.leaderboard.cache import cached, detector_digest
from proxylab.storage.sources import source_digest


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', "[]"])
def test_a_damaged_file_counts_as_missing(tmp_path, damage):
    path = tmp_path / "a.json"
    path.write_text(damage)
    assert cached(path, [1], lambda: {"x": 1}) == {"x": 1}
    assert cached(path, [1], lambda: {"x": 2}) == {"x": 1}
    assert cached(path, [2], lambda: {"x": 3}) == {"x": 3}


def test_the_digest_knows_settings_sources_and_files(tmp_path):
    digests = {name: detector_digest(score) for name, score in SCORES.items()}
    assert len(set(digests.values())) == len(SCORES)
    weights = tmp_path / "weights.json"
    weights.write_text("{}")
    ensemble = Ensemble("ensemble", (SCORES["occupancy_js"],), weights)
    before = detector_digest(ensemble)
    weights.write_text("{ }")
    assert detector_digest(ensemble) != before


def test_a_source_that_is_imported_counts(monkeypatch):
    source_digest.cache_clear()
    before = detector_digest(SCORES["occupancy_js"])
    other, read = detector_digest(SCORES["proxy_stream"]), Path.read_bytes

    def changed(path):
        return read(path) + (b"#" if path.name == "visitation.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    source_digest.cache_clear()
    assert detector_digest(SCORES["occupancy_js"]) != before
    assert detector_digest(SCORES["proxy_stream"]) == other
    source_digest.cache_clear()
