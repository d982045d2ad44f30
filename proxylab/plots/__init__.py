"""Tables and arrays in, matplotlib figures and GIFs out; nothing here runs an agent.

A *table* is anything with ``table[column]`` for every column named in the docstring:
a dict of lists, a DuckDB ``fetchnumpy()``, a data frame.
"""

from proxylab.plots.animation import side_by_side, write_gif
from proxylab.plots.curves import learning_curve
from proxylab.plots.maps import (
    Path,
    course,
    level_paths,
    occupancy_difference,
    occupancy_on_course,
)
from proxylab.plots.outcomes import outcome_bars
from proxylab.plots.scores import score_against_laps, score_strip
from proxylab.plots.style import save

__all__ = [
    "Path",
    "course",
    "learning_curve",
    "level_paths",
    "occupancy_difference",
    "occupancy_on_course",
    "outcome_bars",
    "save",
    "score_against_laps",
    "score_strip",
    "side_by_side",
    "write_gif",
]
