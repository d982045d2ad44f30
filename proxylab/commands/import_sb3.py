"""``proxylab import-sb3``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Text

if TYPE_CHECKING:
    from proxylab.agents.import_sb3 import Imported


@dataclass(frozen=True)
class ImportSb3:
    """Convert a Stable-Baselines3 zip to a proxylab agent without running code from it.

    PPO and A2C with MlpPolicy and discrete actions. The zip is read in a process with bounds
    on memory and time; its pickled parts stay closed. docs/strangers.md says more.
    """

    file: Positional[File]
    """zip that model.save wrote"""
    task: Text
    """task that it was trained for"""
    out: File | None = None
    """folder of the agent; by default the zip's name without its ending"""
    reward: Text = "true"
    """reward that it was trained on, for evaluate: true, proxy or a channel"""
    activation: Literal["tanh", "relu"] | None = None
    """of the network, where the zip does not name it"""
    trust_pickle: Flag = False
    """unpickle the zip, which can run any code in it"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Imported":
        """Convert."""
        from proxylab.agents.import_sb3 import import_sb3

        options = {"activation": self.activation, "trust_pickle": self.trust_pickle}
        return import_sb3(self.file, self.task, self.out, self.reward, **options)
