"""``proxylab procgen``."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Positive

if TYPE_CHECKING:
    from proxylab.environments.procgen_check import Checked


@dataclass(frozen=True)
class Installed:
    """The folder of the original game."""

    folder: str
    version: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``procgen install --json`` prints."""
        return {"schema": "proxylab.procgen-install/1", **asdict(self)}


@dataclass(frozen=True)
class Procgen:
    """The original Procgen Maze: fetch its library, or compare our levels with it."""

    action: Positional[Literal["install", "check"]]
    """install: fetch and unpack the library; check: compare levels and steps"""
    wheel: File | None = None
    """of install: a local copy of the wheel procgen-0.10.7"""
    levels: Positive = 1_000
    """of check: level seeds from 0 on, in each mode (memory: a tenth of them)"""
    steps: Positive = 10_000
    """of check: random steps in each mode"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Installed | Checked":
        """Install or check."""
        from proxylab.console.output import track
        from proxylab_envs.procgen.install import VERSION, install

        if self.action == "install":
            return Installed(str(install(self.wheel)), VERSION)
        from proxylab.environments.procgen_check import check_parity

        return check_parity(self.levels, self.steps, track=track)

    def code(self, result: "Installed | Checked") -> int:
        """1 when levels or steps differ."""
        return int(not getattr(result, "equal", True))
