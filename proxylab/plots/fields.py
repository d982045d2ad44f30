"""What agents would do from every cell of a level, as arrows."""

import numpy as np

from proxylab.plots.style import INK, VERMILLION, new_figure, styled

KINDS = ("sampled", "greedy")


@styled
def field_panels(picture, fields, title=""):
    """A row of panels an agent: expected moves, and most probable ones.

    Args:
        picture: uint8[H, W, 3] of the level, square cells.
        fields: list of ``evaluation.action_fields.Field`` or of anything with ``agent``, ``cells``
            (int64[N, 2]) and the moves ``sampled`` and ``greedy`` (float64[N, 2]).
        title: of the figure.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(3.4 * len(fields) + 0.2, 7.2)
    panels = figure.subplots(len(KINDS), len(fields), squeeze=False)
    for column, field in enumerate(fields):
        for axes, kind in zip(panels[:, column], KINDS, strict=True):
            arrows(axes, picture, field.cells, getattr(field, kind), field.level)
            axes.set_title(f"{field.agent}, {kind}", fontsize=9)
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure


def arrows(axes, picture, cells, moves, level, colour=VERMILLION):
    """Draw one field: an arrow a cell, as long as the move is sure.

    Args:
        axes: matplotlib axes.
        picture: uint8[H, W, 3].
        cells: int64[N, 2], row and column.
        moves: float64[N, 2], row and column, lengths up to 1.
        level: the level as text; tells how many cells there are in a row.
        colour: of the arrows.
    """
    cell_px = picture.shape[0] / len(level.splitlines())
    y, x = (np.asarray(cells).T + 0.5) * cell_px
    down, right = np.asarray(moves, float).T * cell_px * 0.8
    axes.imshow(picture, interpolation="nearest")
    axes.quiver(
        x - right / 2,
        y - down / 2,
        right,
        -down,
        color=colour,
        edgecolor=INK,
        linewidth=0.3,
        angles="uv",
        scale_units="x",
        scale=1,
        width=0.012,
        headwidth=3.6,
        headlength=3.6,
        headaxislength=3.3,
    )
    axes.axis("off")
