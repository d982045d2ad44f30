"""``proxylab import-sb3``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from proxylab.commands.options import Flag


@dataclass(frozen=True)
class ImportSb3:
    """Convert a Stable-Baselines3 zip to an agent of ours, without running what is in it.

    PPO and A2C with MlpPolicy and discrete actions. The zip is read in a process with bounds
    on memory and time; its pickled parts stay closed. docs/strangers.md says more.
    """

    file: Positional[Path]
    """zip that model.save wrote"""
    task: str
    """task that it was trained for"""
    out: Path | None = None
    """folder of the agent; by default the zip's name without its ending"""
    reward: str = "true"
    """what it is said to have been trained on, for evaluate: true, proxy or a channel"""
    activation: Literal["tanh", "relu"] | None = None
    """of the network, where the zip does not say it"""
    trust_pickle: Flag = False
    """unpickle the zip, which runs whatever code its author put there"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Convert."""
        from proxylab.agents.import_sb3 import import_sb3

        options = {"activation": self.activation, "trust_pickle": self.trust_pickle}
        return import_sb3(self.file, self.task, self.out, self.reward, **options)
