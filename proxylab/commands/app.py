"""``proxylab app``."""

import functools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import Device, File, Flag, NonNegative, Port, Text

if TYPE_CHECKING:
    from proxylab.app.serving import App as Served


@dataclass(frozen=True)
class App:
    """Serve a local web page: move the cheese, draw walls, compare two agents.

    The page lists all shipped agents and the AGENTS named here. --export writes the page
    as one file that needs no server.
    """

    agents: Positional[tuple[Text, ...]] = ()
    """agents of your own, in addition to the shipped ones"""
    tasks: tuple[Text, ...] = ()
    """tasks to show; all by default"""
    host: Text = "127.0.0.1"
    """address to listen on; the default is reachable from this machine only"""
    port: Port = 8765
    """port to listen on; 0 takes a free one"""
    no_serve: Flag = False
    """start, fetch the page once, and stop"""
    export: File | None = None
    """write the page as one file that needs no server, with agents included"""
    episodes: NonNegative = 100
    """of --export: levels of each verdict in the file, 0 for none"""
    device: Device = "cpu"
    """where networks run"""
    token: Text | None = None
    """token that opens the page, random by default; other users see it in the process list"""
    no_token: Flag = False
    """require no token: every user of this machine can use the page"""
    no_open: Flag = False
    """do not open the page in a browser (the default from a terminal on a desktop)"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Served":
        """Serve until interrupted, or write the file."""
        from proxylab.app import app
        from proxylab.console.output import track

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
            token=self.token,
            no_token=self.no_token,
            open_browser=not self.no_open and _on_a_desktop(),
        )


def _on_a_desktop() -> bool:
    """Whether this is a terminal with a display for a browser."""
    screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    return sys.stderr.isatty() and bool(screen)
