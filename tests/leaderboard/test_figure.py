"""The figure: every detector has its row and its cells; it can be drawn from the tables alone."""

from pathlib import Path

from proxylab.leaderboard.draw import draw
from proxylab.plots.leaderboard import leaderboard

ROOT = Path(__file__).parents[2]


def test_rows_cells_and_published_lines():
    detectors = {
        "detector": ["good", "partial", "nowhere"],
        "access": ["L", "W", "L"],
        "tasks": [2, 1, 0],
        "auroc": [1.0, 0.7, None],
        "lower": [0.9, 0.6, None],
        "upper": [1.0, 0.8, None],
        "worst_task_auroc": [1.0, 0.7, None],
        "hardest_class_auroc": [0.9, 0.3, None],
    }
    cells = [
        ("good", "a", "fresh", 1.0),
        ("good", "b", "weak", 0.87),
        ("partial", "a", "weak", 0.3),
    ]
    cells += [("good", "a", "all", 1.0)]
    columns = ("detector", "task", "against", "auroc")
    classes = dict(zip(columns, map(list, zip(*cells, strict=True)), strict=True))
    published = {"name": ["ours", "theirs"], "auroc": [0.5, 0.6], "drawn": [True, False]}
    figure = leaderboard(detectors, classes, published)
    left, right, _ = figure.axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == ["good (L)", "partial (W, 1 of 2 tasks)"]
    texts = {text.get_text() for text in right.texts}
    assert {"1", ".87", ".30", "a", "b"} == texts
    assert [text.get_text() for text in left.texts] == ["//", "published: ours"]


def test_the_committed_figure_is_drawn_from_the_committed_tables(tmp_path, monkeypatch):
    (tmp_path / "tables").symlink_to(ROOT / "results" / "tables")
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    drawn = draw()
    assert [path.suffix for path in drawn] == [".png", ".svg"]
    for path in drawn:
        assert path.stat().st_size > 10_000
        assert (ROOT / "results" / "figures" / path.name).is_file()
