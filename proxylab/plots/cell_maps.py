"""A quantity of the cells of a maze as colours."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

WALL = "#3b3b3b"


def cell_map(figure: SubFigure, axes: Axes, values: NDArray[np.float64], title: str) -> None:
    """Draw a maze, its cells coloured from the least to the most value, with a scale below.

    Args:
        figure: for the scale.
        axes: for the maze.
        values: float64[H, W], NaN for walls.
        title: of the axes.
    """
    colours = ScalarMappable(Normalize(np.nanmin(values), np.nanmax(values)), "viridis")
    picture = np.where(np.isnan(values)[..., None], to_rgba(WALL), colours.to_rgba(values))
    axes.imshow(picture)
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    bar = figure.colorbar(colours, ax=axes, location="bottom", shrink=0.9, pad=0.03)
    bar.ax.tick_params(labelsize=8)
    bar.ax.locator_params(nbins=4)
