"""``proxylab export``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, File, Flag

if TYPE_CHECKING:
    from proxylab.export.run import Exported


@dataclass(frozen=True)
class Export:
    """Write an agent as a Stable-Baselines3 zip or as an ONNX file.

    The file gives the same action probabilities as the agent. docs/export.md says which
    networks each format holds.
    """

    agent: Positional[Agent]
    """a run folder, an agent file or zoo:TASK/NAME"""
    to: Literal["sb3", "onnx"]
    """format: a zip for stable_baselines3.PPO.load, or ONNX"""
    out: File | None = None
    """file to write; by default the agent's name in the current folder"""
    force: Flag = False
    """replace an existing file"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Exported":
        """Export."""
        from proxylab.export.run import export_agent

        return export_agent(self.agent, self.to, self.out, self.force)
