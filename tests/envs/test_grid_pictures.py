"""Grids as text and as pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.render import THEMES, draw_grid, draw_path
from proxylab_envs.grid.shapes import SPRITES, disc, line_distance, polygon, sprite

SYMBOLS = "#.mc"


@given(st.integers(1, 6), st.data())
def test_text_round_trip(width, data):
    row = st.text(SYMBOLS, min_size=width, max_size=width)
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    text = "\n".join(rows)
    codes = parse_grid(text, SYMBOLS)
    assert codes.shape == (len(rows), width)
    assert format_grid(codes, SYMBOLS) == text
    assert np.array_equal(parse_grid(f"\n    {text}\n", SYMBOLS), codes)


def test_codes_are_places_among_the_symbols():
    assert parse_grid("#.\nmc", SYMBOLS).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no rows"), ("##\n#", "row 1 has 1 cells, row 0 has 2"), ("#x", "unknown symbol 'x'")],
)
def test_bad_text_is_explained(text, said):
    with pytest.raises(ValueError, match=said):
        parse_grid(text, SYMBOLS)


def test_shapes_cover_their_areas():
    ticks = (np.arange(400) + 0.5) / 400
    x, y = ticks[None, :], ticks[:, None]
    assert disc(x, y, 0.5, 0.5, 0.3, 0.2, 30).mean() == pytest.approx(np.pi * 0.06, abs=1e-3)
    triangle = polygon(x, y, (0.1, 0.1), (0.9, 0.1), (0.1, 0.5))
    assert triangle.mean() == pytest.approx(0.16, abs=2e-3)
    assert triangle[60, 60]
    assert not triangle[240, 360]
    # A square with a square hole: even-odd filling leaves the hole out.
    holed = polygon(x, y, (0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0.25, 0.25), (0.25, 0.75),
                    (0.75, 0.75), (0.75, 0.25), (0.25, 0.25))  # fmt: skip
    assert holed.mean() == pytest.approx(0.75, abs=5e-3)


def test_distance_to_a_line_by_hand():
    points = ((0, 0), (4, 0), (4, 3))
    x, y = np.array([2.0, 7.0, -3.0, 4.0]), np.array([1.0, 7.0, -4.0, 2.0])
    assert line_distance(x, y, points).tolist() == [1.0, 5.0, 5.0, 0.0]


@pytest.mark.parametrize("name", SPRITES)
@pytest.mark.parametrize("pixels", [8, 32])
def test_sprites_are_visible_with_clear_margins_and_soft_edges(name, pixels):
    paint, opacity = sprite(name, pixels)
    assert paint.shape == (pixels, pixels, 3)
    assert 0.1 < opacity.mean() < 0.9
    assert opacity[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.5
    assert ((opacity > 0) & (opacity < 1)).any()
    assert (paint <= 255 * opacity + 1e-3).all()


def test_arrows_are_turns_of_each_other():
    # Equal but for single samples (1 of 36 a pixel) that lie exactly on an edge.
    up, down, left, right = (sprite(f"arrow-{d}", 30)[1] for d in ("up", "down", "left", "right"))
    np.testing.assert_allclose(up, down[::-1], atol=0.03)
    np.testing.assert_allclose(left, right[:, ::-1], atol=0.03)
    np.testing.assert_allclose(up, left.swapaxes(0, 1), atol=0.03)
    top, bottom = up[:15].sum(), up[15:].sum()
    assert top > bottom  # the head is wider than the shaft


def test_unknown_sprite_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown sprite 'cat': choose mouse, cheese"):
        draw_grid(np.zeros((2, 2), bool), [(0, 0, "cat")])


def test_grid_draws_each_thing_in_its_cell_and_nowhere_else():
    walls = np.ones((4, 5), bool)
    walls[1:3, 1:4] = False
    bare = draw_grid(walls, cell_px=16)
    assert bare.shape == (64, 80, 3)
    assert bare.dtype == np.uint8
    assert tuple(bare[0, 0]) == THEMES["maze"].wall
    assert tuple(bare[15, 20]) == THEMES["maze"].edge
    assert tuple(bare[17, 17]) == THEMES["maze"].floor
    with_mouse = draw_grid(walls, [(2, 3, "mouse")], cell_px=16)
    rows, cols = np.nonzero((bare != with_mouse).any(axis=2))
    assert rows.min() >= 32
    assert rows.max() < 48
    assert cols.min() >= 48
    assert cols.max() < 64


def test_path_runs_through_the_middles_of_its_cells():
    picture = np.zeros((60, 60, 3), np.float32)
    draw_path(picture, [(0, 0), (0, 2), (2, 2)], (200, 100, 0), 20, width=0.2)
    for row, col in [(10, 10), (10, 30), (10, 50), (30, 50), (50, 50)]:
        np.testing.assert_allclose(picture[row, col], (200, 100, 0), atol=1)
    assert not picture[30:, :40].any()
    # Area of the line: 80 long, 4 wide, and two half discs of radius 2 at its ends.
    assert picture[:, :, 0].sum() / 200 == pytest.approx(80 * 4 + np.pi * 4, rel=0.05)


def test_paths_lie_side_by_side():
    walls = np.zeros((3, 3), bool)
    red, blue = (255, 0, 0), (0, 0, 255)
    cells = [(1, 0), (1, 2)]
    picture = draw_grid(walls, cell_px=40, paths=[(cells, red), (cells, blue)])
    column = picture[40:80, 60].astype(int)
    assert (np.abs(column - red).sum(axis=1) < 10).sum() >= 3
    assert (np.abs(column - blue).sum(axis=1) < 10).sum() >= 3
