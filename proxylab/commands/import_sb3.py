"""``proxylab import-sb3``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Env, File, Flag, Text

if TYPE_CHECKING:
    from proxylab.agents.import_sb3 import Imported


@dataclass(frozen=True)
class ImportSb3:
    """Convert a Stable-Baselines3 zip to a proxylab agent without running code from it.

    PPO, A2C and DQN with MlpPolicy or CnnPolicy and discrete actions. The zip is read in a process
    with bounds on memory and time; its pickled parts stay closed. Other verbs take such a zip as it
    is; docs/strangers.md says more.
    """

    file: Positional[File]
    """zip that model.save wrote"""
    task: Text | None = None
    """task that it was trained for"""
    env: Env | None = None
    """a Gymnasium id or module:factory in place of a task"""
    out: File | None = None
    """folder of the agent; by default results/imported/NAME, the zip's name"""
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

        return import_sb3(
            self.file,
            self.task,
            self.out,
            self.reward,
            self.activation,
            self.trust_pickle,
            self.env,
        )
