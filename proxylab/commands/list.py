"""``proxylab list``."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class List:
    """Show what there is."""

    what: Positional[Literal["tasks", "envs", "agents", "runs", "experiments", "detectors"]] = (
        "tasks"
    )
    """the kind of thing"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """The inventory asked for."""
        from proxylab.commands.inventory import inventory

        return inventory(self.what)
