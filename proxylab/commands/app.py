"""``proxylab app``."""

import functools
import sys
from dataclasses import dataclass
from pathlib import Path

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
    tasks: tuple[str, ...] = ()
    """tasks to show; all by default"""
    host: str = "127.0.0.1"
    """address to listen on; the default is reached from this machine only"""
    port: int = 8765
    """port to listen on; 0 takes a free one"""
    no_serve: Flag = False
    """start, fetch the page once, and stop"""
    export: Path | None = None
    """write the page as one file that needs no server, with small agents in it"""
    episodes: int = 100
    """of --export: levels of each verdict in the file, 0 for none"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Serve until interrupted, or write the file."""
        from proxylab.app import app
        from proxylab.console import track

        return app(
            self.agents,
            self.tasks,
            self.host,
            self.port,
            serve=not self.no_serve,
            export=self.export,
            episodes=self.episodes,
            device=self.device,
            ready=functools.partial(print, file=sys.stderr, flush=True),
            track=track,
        )
