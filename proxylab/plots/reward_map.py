"""Heat maps of what a reward model gives for every cell of a level."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import new_figure, styled

ALPHA = 0.75
COLOURS = "PuOr_r"


@dataclass(frozen=True)
class PanelOfRewards:
    """One level and its rewards.

    Attributes:
        title: above the panel.
        picture: uint8[H, W, 3] of the level, square cells.
        level: the level as text.
        cells: int64[N, 2], row and column.
        rewards: float32[N].
    """

    title: str
    picture: NDArray[np.uint8]
    level: str
    cells: NDArray[np.int64]
    rewards: NDArray[np.float32]


@styled
def reward_map(panels: Sequence[PanelOfRewards], title: str = "") -> Figure:
    """Panels side by side, with one scale of colours that is symmetric about 0."""
    figure = new_figure(3.6 * len(panels) + 1.0, 4.2)
    most = max(float(np.abs(panel.rewards).max()) for panel in panels)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for place, panel in zip(axes, panels, strict=True):
        side = len(panel.level.splitlines())
        grid = np.full((side, side), np.nan)
        grid[panel.cells[:, 0], panel.cells[:, 1]] = panel.rewards
        place.imshow(panel.picture, extent=(-0.5, side - 0.5, side - 0.5, -0.5))
        place.imshow(grid, alpha=ALPHA, cmap=COLOURS, vmin=-most, vmax=most)
        place.set_title(panel.title)
        place.axis("off")
    colours = ScalarMappable(Normalize(-most, most), cmap=COLOURS)
    figure.colorbar(
        colours, alpha=ALPHA, ax=axes.tolist(), label="reward, standard deviations", shrink=0.8
    )
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure
