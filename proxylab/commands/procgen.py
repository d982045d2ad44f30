"""``proxylab procgen``."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class Installed:
    """Where the real game lies."""

    folder: str
    version: str

    def as_json(self):
        """The object that ``procgen install --json`` prints."""
        return {"schema": "proxylab.procgen-install/1", **asdict(self)}


@dataclass(frozen=True)
class Procgen:
    """The real Procgen Maze: fetch its original library, or hold our levels against it."""

    action: Positional[Literal["install", "check"]]
    """install: fetch and unpack the library; check: compare levels and steps"""
    wheel: Path | None = None
    """of install: the wheel procgen-0.10.7 where it is at hand"""
    levels: int = 1_000
    """of check: level seeds from 0 on, in each mode (memory: a tenth of them)"""
    steps: int = 10_000
    """of check: random steps in each mode"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Install or check."""
        from proxylab.console import track
        from proxylab_envs.procgen.install import VERSION, install

        if self.action == "install":
            return Installed(str(install(self.wheel)), VERSION)
        from proxylab.environments.procgen_check import check_parity

        return check_parity(self.levels, self.steps, track=track)

    def code(self, result):
        """1 when something differed."""
        return int(not getattr(result, "equal", True))
