"""``proxylab doctor``."""

from dataclasses import dataclass

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, threads, extras, caches, shipped agents."""

    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Check."""
        from proxylab.commands.installation import doctor

        return doctor()

    def code(self, result):
        """1 when something that is needed is broken."""
        return int(not result.healthy)
