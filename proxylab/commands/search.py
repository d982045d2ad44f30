"""``proxylab search``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import Agent, File, Flag, NonNegative, Positive, Seed, Task

if TYPE_CHECKING:
    from proxylab.search.run import SearchReport


@dataclass(frozen=True)
class Search:
    """Search for the levels on which an agent does worst, and write them as level files.

    Regret is the optimal true return minus the agent's. Every level that is found can be solved,
    and proxylab play --level FILE opens it.
    """

    suspect: Positional[Agent]
    """the agent"""
    trusted: Agent | None = None
    """the agent it is compared with, for proxy-gain and divergence"""
    task: Task | None = None
    """the task; by default the agent's own"""
    maximise: Literal["regret", "proxy-gain", "divergence"] = "regret"
    """what is worst"""
    method: Literal["elites", "prioritised", "random"] = "elites"
    """how the next levels are chosen"""
    budget: Positive = 10_240
    """levels that are played, in batches of 256"""
    edits: NonNegative = 3
    """most edits that no generator makes, such as an opened wall; 0: shifted levels only"""
    worst: Positive = 20
    """levels that are reported"""
    out: File | None = None
    """folder for the archive (Parquet and picture) and the worst levels (text)"""
    seed: Seed = 0
    """of the search and the action draws"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "SearchReport":
        """Search."""
        from proxylab.console.output import track
        from proxylab.search.run import SearchSettings, search_levels

        names = ("maximise", "method", "budget", "edits", "worst", "out", "seed")
        settings = SearchSettings(**{name: getattr(self, name) for name in names})
        return search_levels(self.suspect, self.trusted, self.task, settings, track=track)
