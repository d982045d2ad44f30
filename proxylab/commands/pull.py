"""``proxylab pull``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Repository, Text

if TYPE_CHECKING:
    from proxylab.export.hub import Pulled


@dataclass(frozen=True)
class Pull:
    """Download an agent or a reward model from the Hugging Face Hub (extra hub).

    Only its JSON and its safetensors are fetched, and they are checked as any stranger's file:
    nothing in them runs. Other files of the repository are left alone.
    """

    repository: Positional[Repository]
    """OWNER/NAME"""
    out: File | None = None
    """new folder; by default one in the user's cache folder"""
    revision: Text = "main"
    """branch, tag or commit"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Pulled":
        """Download."""
        from proxylab.export.hub import pull

        return pull(self.repository, self.out, self.revision)
