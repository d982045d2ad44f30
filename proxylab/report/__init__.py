"""The result of ``detect`` as one self-contained HTML file: tables in, text out.

Nothing here runs an agent, reads a file or uses the network. All text is escaped by
:func:`~proxylab.report.html.tag`, whatever its source.
"""

from proxylab.report.evidence import (
    CourseDrawing,
    Evidence,
    Facts,
    Goal,
    Grid,
    HeatMap,
    LevelPair,
    ReportData,
    Together,
    Track,
)
from proxylab.report.page import MOST_BYTES, page

__all__ = [
    "MOST_BYTES",
    "CourseDrawing",
    "Evidence",
    "Facts",
    "Goal",
    "Grid",
    "HeatMap",
    "LevelPair",
    "ReportData",
    "Together",
    "Track",
    "page",
]
