"""``proxylab list``."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.inventory import Inventory
from proxylab.console.options import Flag, Text


@dataclass(frozen=True)
class List:
    """List tasks, environments, agents, runs, experiments or detectors.

    The table shows the main columns, --json all of them.
    """

    what: Positional[Literal["tasks", "envs", "agents", "runs", "experiments", "detectors"]] = (
        "tasks"
    )
    """the kind to list"""
    words: Positional[tuple[Text, ...]] = ()
    """show only the rows that hold all of these words: list agents maze-corner proxy"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> Inventory:
        """The inventory asked for."""
        from proxylab.commands.inventory import inventory

        return inventory(self.what, self.words)
