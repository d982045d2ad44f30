"""``proxylab report``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import File, Flag

if TYPE_CHECKING:
    from proxylab.screening.report_files import Drawn


@dataclass(frozen=True)
class Report:
    """Draw the HTML report of a finished detection; no agent runs again.

    The file is what detect --save wrote. What detect --json printed is enough for a report
    without levels, heat map and curves.
    """

    source: Positional[File]
    """record of detect --save, or JSON of detect --json"""
    out: File | None = None
    """the page; by default beside the file, ending in .html"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Drawn":
        """Draw it."""
        from proxylab.screening.report_files import draw_report

        return draw_report(self.source, self.out)
