"""``proxylab doctor``."""

from dataclasses import dataclass

from proxylab.commands.installation import Diagnosis
from proxylab.console.options import Flag


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, threads, extras, caches, shipped agents."""

    json: Flag = False
    """print one JSON object"""

    def run(self) -> Diagnosis:
        """Check."""
        from proxylab.commands.installation import doctor

        return doctor()

    def code(self, result: Diagnosis) -> int:
        """1 when a required part is broken."""
        return int(not result.healthy)
