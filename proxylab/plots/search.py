"""The archive of a search over levels: a heat map, and the worst levels as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import new_figure, styled

ROWS, COLUMNS = 2, 3
MOST_PICTURES = ROWS * COLUMNS


@dataclass(frozen=True)
class ArchiveOfLevels:
    """The worst level of every cell, worst first.

    Attributes:
        score: name of the scores.
        measures: names of the two measures.
        scores: float64[C].
        places: int64[C, 2], cells.
        side: of a cell, in units of the measures.
        pictures: uint8[H, W, 3] of the worst levels, at most ``MOST_PICTURES``.
    """

    score: str
    measures: tuple[str, str]
    scores: NDArray[np.float64]
    places: NDArray[np.int64]
    side: float
    pictures: Sequence[NDArray[np.uint8]]


@styled
def worst_levels(archive: ArchiveOfLevels) -> Figure:
    """Left the worst score of every cell of the archive, right the worst levels."""
    figure = new_figure(11.0, 4.6)
    grid = figure.add_gridspec(ROWS, 2 * COLUMNS)
    _heat_map(figure, figure.add_subplot(grid[:, :COLUMNS]), archive)
    for k, picture in enumerate(archive.pictures):
        axes = figure.add_subplot(grid[k // COLUMNS, COLUMNS + k % COLUMNS])
        axes.imshow(picture)
        axes.set_title(f"{archive.score} {archive.scores[k]:.3g}", fontsize=9)
        axes.axis("off")
    return figure


def _heat_map(figure: Figure, axes: Any, archive: ArchiveOfLevels) -> None:
    places = archive.places
    scores = np.full(places.max(axis=0) + 1, np.nan)
    scores[places[:, 0], places[:, 1]] = archive.scores
    width, height = archive.side * np.array(scores.shape)
    extent = (0, width, 0, height)
    image = axes.imshow(scores.T, origin="lower", extent=extent, cmap="viridis", aspect="auto")
    axes.set(xlabel=archive.measures[0], ylabel=archive.measures[1])
    axes.set_title(f"worst level of each of {len(places)} cells")
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=archive.score)
