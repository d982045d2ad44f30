"""``proxylab app``."""

import functools
import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from proxylab.console.options import (
    Agent,
    Device,
    File,
    Flag,
    NonNegative,
    Port,
    Positive,
    Seed,
    Task,
    Text,
)
from proxylab.errors import UsageError

if TYPE_CHECKING:
    from proxylab.app.rating_serving import Rated
    from proxylab.app.serving import App as Served

OF_PAGE = ("agents", "tasks", "export", "episodes", "device")
OF_RATE = (
    *("task", "sources", "pairs", "clips", "length", "levels", "seed"),
    *("rater_name", "question"),
)
"""Options that are refused with --rate, and without it."""


@dataclass(frozen=True)
class App:
    """Serve a local web page: move the cheese, draw walls, compare two agents.

    The page lists all shipped agents and the AGENTS named here. --export writes the page
    as one file that needs no server. --rate FILE --task TASK serves another page instead, on
    which a person says which of two clips is better; the same command continues the file.
    """

    agents: Positional[tuple[Agent, ...]] = ()
    """agents of your own, in addition to the shipped ones"""
    tasks: tuple[Task, ...] = ()
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
    rate: File | None = None
    """preferences file (.parquet) of a person's answers, begun or continued"""
    task: Task | None = None
    """of --rate: task of the clips"""
    sources: Annotated[tuple[Agent, ...], arg(name="from")] = ()
    """of --rate: policies of the clips: agents, scripts, or random; random and the scripts by
    default"""
    pairs: Positive | None = None
    """of --rate: number of questions; 100 by default"""
    clips: Positive | None = None
    """of --rate: number of clips; 400 by default"""
    length: Positive | None = None
    """of --rate: steps of a clip; 50 in the boats, 25 elsewhere by default"""
    levels: Text | None = None
    """of --rate: train, shifted or mix:<share of shifted levels>"""
    seed: Seed = 0
    """of --rate: of levels, clips and pairs"""
    rater_name: Text | None = None
    """of --rate: name of the rater in the file; person by default"""
    question: Text | None = None
    """of --rate: what the page asks; which clip is better, and the goal, by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Served | Rated":
        """Serve until interrupted, or write the file."""
        self._refuse_others()
        return self._serve() if self.rate is None else self._rate(self.rate)

    def _refuse_others(self) -> None:
        """``UsageError`` for an option of the other page."""
        for option in fields(self):
            if getattr(self, option.name) == option.default:
                continue
            shown = "from" if option.name == "sources" else option.name.replace("_", "-")
            if self.rate is None and option.name in OF_RATE:
                raise UsageError(f"--{shown} is an option of --rate FILE")
            if self.rate is not None and option.name in OF_PAGE:
                words = "AGENTS are" if shown == "agents" else f"--{shown} is"
                raise UsageError(f"{words} not for --rate: it takes --task and --from")

    def _serve(self) -> "Served":
        from proxylab.app import app
        from proxylab.console.output import track

        return app(
            self.agents,
            self.tasks,
            export=self.export,
            episodes=self.episodes,
            device=self.device,
            track=track,
            **self._listening(),
        )

    def _rate(self, file: Path) -> "Rated":
        from proxylab.app.rating_serving import rate

        if self.task is None:
            raise UsageError("--rate: name the task of the clips with --task")
        names = ("pairs", "clips", "length", "levels", "rater_name")
        given = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        given |= {"seed": self.seed, "question": self.question}
        return rate(file, self.task, self.sources, **given, **self._listening())

    def _listening(self) -> dict[str, Any]:
        """Arguments of both pages: where they are served, and to whom."""
        return {
            "host": self.host,
            "port": self.port,
            "serve": not self.no_serve,
            "ready": functools.partial(print, file=sys.stderr, flush=True),
            "token": self.token,
            "no_token": self.no_token,
            "open_browser": not self.no_open and _on_a_desktop(),
        }


def _on_a_desktop() -> bool:
    """Whether this is a terminal with a display for a browser."""
    screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    return sys.stderr.isatty() and bool(screen)
