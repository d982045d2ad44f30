"""Figures are read back: what stands in the table must stand in the picture."""

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from PIL import Image

from proxylab import plots
from proxylab.plots.scales import log_ticks
from proxylab.plots.style import CYCLE, MEANINGS, RC, colours_of

OUTCOME_TABLE = {
    "agent": ["trusted"] * 4 + ["proxy agent"] * 4,
    "split": ["shifted"] * 8,
    "outcome": ["intended", "both", "proxy", "neither"] * 2,
    "share": [0.8, 0.1, 0.07, 0.03, 0.3, 0.05, 0.6, 0.05],
    "low": [0.7, 0.05, 0.02, 0.0, 0.2, 0.01, 0.5, 0.01],
    "high": [0.9, 0.2, 0.1, 0.1, 0.4, 0.1, 0.7, 0.1],
}


def test_outcome_bars_have_the_heights_of_the_table():
    axes = plots.outcome_bars(OUTCOME_TABLE).axes[0]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(OUTCOME_TABLE["share"])


def test_outcome_bars_draw_the_accidental_baseline_at_its_height():
    axes = plots.outcome_bars(OUTCOME_TABLE, accidental={"shifted": 0.34}).axes[0]
    dashed = [line for line in axes.lines if "incidental rate" in line.get_label()]
    assert [line.get_ydata()[0] for line in dashed] == [0.34]


def test_outcome_bars_without_baseline_draw_none():
    axes = plots.outcome_bars(OUTCOME_TABLE).axes[0]
    assert not [line for line in axes.lines if "incidental rate" in line.get_label()]


def test_outcome_colours_follow_the_outcome_not_the_place():
    axes = plots.outcome_bars(OUTCOME_TABLE).axes[0]
    by_label = {c.get_label(): c.patches[0] for c in axes.containers if isinstance(c, BarContainer)}
    red, green, blue, _ = by_label["proxy goal only"].get_facecolor()
    assert (red, green, blue) == pytest.approx((0xD5 / 255, 0x5E / 255, 0))


def test_learning_curve_sorts_steps_and_keeps_bands():
    table = {
        "timesteps": [2000, 1000, 1000, 2000],
        "series": ["true, iid", "true, iid", "proxy, shifted", "proxy, shifted"],
        "mean": [0.9, 0.5, 0.2, 0.6],
        "low": [0.8, 0.4, 0.1, 0.5],
        "high": [1.0, 0.6, 0.3, 0.7],
    }
    axes = plots.learning_curve(table).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1000, 2000])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0.5, 0.9])
    band = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.1, 0.7)


def test_learning_curve_without_bounds_shows_returns_above_the_optimum():
    table = {
        "timesteps": [1000, 2000],
        "series": ["score", "score"],
        "mean": [0.5, 1.3],
        "low": [None, None],
        "high": [None, None],
    }
    axes = plots.learning_curve(table).axes[0]
    assert axes.get_ylim()[1] > 1.3
    assert (
        not axes.collections[0].get_paths()
        or np.isnan(axes.collections[0].get_paths()[0].vertices).all()
    )


def test_level_paths_draws_each_agent_over_each_level():
    pictures = [np.zeros((36, 36, 3), np.uint8)] * 2
    points = np.array([[4.0, 4.0], [30.0, 4.0]])
    paths = [[plots.Path("trusted", points)], [plots.Path("trusted", points[::-1])]]
    figure = plots.level_paths(pictures, paths, marks={"corner": np.array([[9, 9], [8, 8]])})
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 2
    ways = [line for line in shown[1].lines if len(line.get_xdata()) == 2]
    np.testing.assert_array_equal(ways[0].get_xdata(), [30, 4])


def test_occupancy_difference_is_symmetric_about_zero_and_leaves_walls_out():
    shares, others = np.array([[0.5, 0.5], [0, 0]]), np.array([[0.1, 0.5], [0.4, 0]])
    walls = np.array([[False, False], [False, True]])
    image = plots.occupancy_difference(shares, others, ("a", "b"), walls).axes[0].images[0]
    assert image.get_clim() == (-0.4, 0.4)
    np.testing.assert_array_equal(image.get_array().mask, walls)


def test_occupancy_on_course_colours_the_visited_cells_only():
    outlines = np.array([[[0, 0], [4, 0], [4, 4], [0, 4]]]) + 4.0 * np.arange(3)[:, None, None]
    shares, others = np.array([0.5, 0.5, 0]), np.array([0.9, 0.1, 0])
    picture = np.zeros((16, 16, 3), np.uint8)
    figure = plots.occupancy_on_course(picture, outlines, shares, others, ("a", "b"))
    (cells,) = figure.axes[0].collections
    np.testing.assert_allclose(cells.get_array(), [-0.4, 0.4])
    assert cells.get_clim() == (-0.4, 0.4)


def test_a_broken_log_axis_has_a_place_for_zero_and_a_mark_before_the_rest():
    axes = Figure().add_subplot()
    places = log_ticks(axes, [0.0, 0.01, 0.1, 1.0], ["0", "1", "10", "100"])
    np.testing.assert_allclose(places([0.0, 0.01, 0.1, 1.0]), [-2.5, -2.0, -1.0, 0.0])
    np.testing.assert_allclose(axes.get_xticks(), [-2.5, -2.0, -1.0, 0.0])
    assert [(text.get_text(), text.xy[0]) for text in axes.texts] == [("//", -2.25)]


def test_a_log_axis_without_zero_has_no_mark():
    axes = Figure().add_subplot()
    log_ticks(axes, [1, 2, 4], ["1", "2", "4"])
    assert not axes.texts


def test_score_strip_rings_the_flagged_only_and_shows_every_agent():
    table = {
        "group": ["trusted", "trusted", "suspect"],
        "agent": ["a", "b", "c"],
        "score": [0.1, 0.1, 0.9],
        "flagged": [False, False, True],
    }
    axes = plots.score_strip(table, threshold=0.5).axes[0]
    trusted, trusted_rings, suspect, suspect_rings = axes.lines[:4]
    assert len(set(trusted.get_ydata())) == 2, "equal scores must not hide each other"
    assert (len(trusted_rings.get_xdata()), len(suspect_rings.get_xdata())) == (0, 1)
    assert list(suspect.get_xdata()) == [0.9]


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([0.01, 0.5], "log"),
        ([0.1, 0.5], "linear"),
        ([0.0, 0.5], "linear"),
        ([-2.0, 3.0, 400.0], "symlog"),
    ],
)
def test_score_strip_is_logarithmic_only_where_it_can_and_must_be(scores, scale):
    names = ["a", "b", "c"][: len(scores)]
    flagged = [False] * len(scores)
    table = {"group": names, "agent": names, "score": scores, "flagged": flagged}
    assert plots.score_strip(table).axes[0].get_xscale() == scale


def test_course_and_laps_show_what_was_given():
    path = plots.Path("trusted", np.array([[0.0, 0], [5, 5], [9, 2]]), "3 laps")
    figure = plots.course(np.zeros((20, 40, 3), np.uint8), [path, path])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["trusted: 3 laps"] * 2
    table = {"agent": ["a", "b"], "score": [10, 20], "laps": [3, 0]}
    axes = plots.score_against_laps(table).axes[0]
    assert [tuple(line.get_xydata()[0]) for line in axes.lines] == [(3, 10), (0, 20)]


def test_saved_figures_are_the_same_bytes(tmp_path):
    first = plots.save(plots.outcome_bars(OUTCOME_TABLE), tmp_path / "a" / "bars.v1")
    second = plots.save(plots.outcome_bars(OUTCOME_TABLE), tmp_path / "b" / "bars.v1")
    assert [path.name for path in first] == ["bars.v1.png", "bars.v1.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_drawing_leaves_the_callers_settings_alone():
    import matplotlib

    before = matplotlib.rcParams["font.size"] + 3
    with matplotlib.rc_context({"font.size": before}):
        plots.outcome_bars(OUTCOME_TABLE)
        assert matplotlib.rcParams["font.size"] == before != RC["font.size"]


def test_a_meaning_keeps_its_colour_and_strangers_get_others():
    colours = colours_of(["suspect agent", "something", "trusted-03", "trusted"])
    assert colours["suspect agent"] == MEANINGS["suspect"]
    assert colours["trusted"] == MEANINGS["trusted"]
    assert colours["something"] in CYCLE
    assert colours["something"] not in (colours["suspect agent"], colours["trusted"])


def _as_seen_by_deuteranopes(colour):
    """Viénot, Brettel and Mollon 1999 for a dichromat without M cones, on linear RGB."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2
    matrix = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    return np.clip(matrix @ rgb, 0, 1) ** (1 / 2.2)


def test_outcome_colours_stay_apart_for_colour_blind_readers():
    names = ("intended", "both", "proxy", "neither")
    seen = [_as_seen_by_deuteranopes(MEANINGS[name]) for name in names]
    for i in range(4):
        for j in range(i):
            assert np.linalg.norm(seen[i] - seen[j]) > 0.15, (names[i], names[j])


def test_side_by_side_waits_for_the_longer_run(tmp_path):
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    runs = [[black, white], [black, black, black, white]]
    frames = plots.side_by_side(runs, ["a", "b"], ["done", "done too"], height=64)
    assert len(frames) == 4
    left = [np.asarray(frame)[80, 48].mean() for frame in frames]
    assert left == [0, 255, 255, 255], "a run that is over stands still"
    right = [np.asarray(frame)[80, frames[0].width - 48].mean() for frame in frames]
    assert right == [0, 0, 0, 255]


def test_side_by_side_cuts_to_the_end_when_patience_is_over():
    shades = [np.full((8, 8, 3), value, np.uint8) for value in range(0, 250, 10)]
    frames = plots.side_by_side([shades[:2], shades], ["a", "b"], ["", ""], 32, patience=3)
    right = [np.asarray(frame)[60, frames[0].width - 30].mean() for frame in frames]
    assert right == [0, 10, 20, 30, 40, 240]


def test_gif_plays_every_frame_and_holds_the_last(tmp_path):
    shades = [np.full((8, 8, 3), value, np.uint8) for value in (0, 80, 160, 240)]
    frames = plots.side_by_side([shades], ["a"], ["done"], height=32)
    path = plots.write_gif(frames, tmp_path / "run.gif", frames_per_second=10, hold_seconds=2)
    with Image.open(path) as gif:
        durations = []
        for k in range(gif.n_frames):
            gif.seek(k)
            durations.append(gif.info["duration"])
    assert durations == [100, 100, 100, 2000]
