"""Action fields: each agent's move from every cell of a level, as arrows."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import INK, VERMILLION, new_figure, styled

KINDS = ("sampled", "greedy")


class ActionField(Protocol):
    """An agent's action in every cell of a level, such as ``evaluation.action_fields.Field``."""

    @property
    def agent(self) -> str:
        """Its name."""
        ...

    @property
    def level(self) -> str:
        """The level as text."""
        ...

    @property
    def cells(self) -> NDArray[np.int64]:
        """int64[N, 2], row and column."""
        ...

    @property
    def sampled(self) -> NDArray[np.float64]:
        """float64[N, 2], the expected move from each cell, row and column."""
        ...

    @property
    def greedy(self) -> NDArray[Any]:
        """float64 or int64[N, 2], the most probable move from each cell."""
        ...


@styled
def field_panels(
    picture: NDArray[np.uint8], fields: Sequence[ActionField], title: str = ""
) -> Figure:
    """One column of panels per agent: expected moves above, most probable moves below.

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


def arrows(
    axes: Axes,
    picture: NDArray[np.uint8],
    cells: NDArray[np.int64],
    moves: NDArray[np.float64],
    level: str,
    colour: str = VERMILLION,
) -> None:
    """Draw one field: one arrow per cell, its length the confidence of the move.

    Args:
        axes: matplotlib axes.
        picture: uint8[H, W, 3].
        cells: int64[N, 2], row and column.
        moves: float64[N, 2], row and column, lengths up to 1.
        level: the level as text, for the number of cells in a row.
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
