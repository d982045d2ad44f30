"""``proxylab push``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Repository

if TYPE_CHECKING:
    from proxylab.export.hub import Pushed


@dataclass(frozen=True)
class Push:
    """Upload an agent or a reward model to the Hugging Face Hub (extra hub).

    HF_TOKEN holds the token, or that of hf auth login is taken; HF_ENDPOINT names another hub.
    """

    folder: Positional[File]
    """a run folder, the folder of an agent, or that of a reward model"""
    repository: Positional[Repository]
    """OWNER/NAME; made where there is none"""
    private: Flag = False
    """a new repository is private"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Pushed":
        """Upload."""
        from proxylab.export.hub import push

        return push(self.folder, self.repository, self.private)
