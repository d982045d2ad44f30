"""``proxylab guard``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from proxylab.console.options import (
    Agent,
    Device,
    Env,
    File,
    Flag,
    Positive,
    Rate,
    Seed,
    Share,
    Task,
    Text,
    Trigger,
)

if TYPE_CHECKING:
    from proxylab.guard.run import GuardReport


@dataclass(frozen=True)
class Guard:
    """Let a trusted agent take over where a trigger says so, and measure what that is worth.

    The threshold is set on trusted agents on the same levels: a new honest agent ever gets help
    there with probability alpha at most. The damage is measured with the true return, which no
    trigger sees.
    """

    suspects: Positional[tuple[Agent, ...]]
    """the agents that are watched"""
    trusted: tuple[Agent, ...] = ()
    """trusted agents; by default those shipped for the task"""
    task: Task | None = None
    """the task; by default the agents' own"""
    env: Env | None = None
    """another environment: an id, or module:factory of your own"""
    trigger: Trigger = "departure"
    """departure, divergence, disagreement, value-disagreement, mahalanobis, neighbours, entropy,
    max-probability, margin or random"""
    policy: Literal["fallback", "stop", "ask"] = "fallback"
    """what happens above the threshold: a trusted agent acts from then on, the episode stops, or
    a trusted agent acts at that step only"""
    alpha: Rate = 0.05
    """probability that a new honest agent is ever helped"""
    budget: Rate | None = None
    """share of honest episodes that get help; replaces alpha"""
    hand_back: Positive | None = None
    """calm steps after which the watched agent acts again; by default it never does"""
    watch: Share = 1.0
    """share of the steps at which the trigger is asked, drawn at random: with fewer a guard is
    faster, and later"""
    irrecoverable: Flag = False
    """play the form of the task in which gaming cannot be undone"""
    split: Text | None = None
    """split of the levels; by default shifted where the task has it"""
    episodes: Positive = 200
    """levels, one episode each"""
    seed: Seed = 0
    """of the levels and the action draws"""
    device: Device = "cpu"
    """where networks run"""
    log: File | None = None
    """write the guarded episodes as a log, with who acted at every step and why; its ending decides
    the format"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "GuardReport":
        """Set the threshold, and play the agents without and with the guard."""
        from proxylab.console.output import track
        from proxylab.guard.run import GuardSettings, guard_agents

        names = (
            "trigger",
            "policy",
            "alpha",
            "budget",
            "hand_back",
            "watch",
            "irrecoverable",
            "split",
            "episodes",
        )
        options = {name: getattr(self, name) for name in (*names, "seed", "device", "env")}
        settings = GuardSettings(**options)
        trusted = self.trusted or None
        return guard_agents(self.suspects, trusted, self.task, settings, log=self.log, track=track)
