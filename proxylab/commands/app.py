"""``proxylab app``."""

import sys
from dataclasses import dataclass

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag


@dataclass(frozen=True)
class App:
    """Open a page of this machine: move the cheese, draw walls, watch two agents.

    Everything shipped is offered there, and the AGENTS named here besides. --export
    writes the page as one file that needs no server.
    """

    agents: Positional[tuple[str, ...]] = ()
    """agents of your own, beside the shipped ones"""
    host: str = "127.0.0.1"
    """address to listen on; the default is reached from this machine only"""
    port: int = 8765
    """port to listen on; 0 takes a free one"""
    no_serve: Flag = False
    """start, fetch the page once, and stop"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Serve until interrupted."""
        from proxylab.app import app

        say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        return app(self.agents, self.host, self.port, not self.no_serve, self.device, say)
