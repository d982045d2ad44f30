"""The options of ``guard``."""

from dataclasses import dataclass

from proxylab.errors import UsageError, choices
from proxylab.guard.episodes import FALLBACK, MODES
from proxylab.guard.triggers import DEFAULT_TRIGGER, find_trigger
from proxylab.storage.limits import check_episodes


@dataclass(frozen=True)
class GuardSettings:
    """The options of ``guard``.

    Attributes:
        trigger: name in :data:`~proxylab.guard.triggers.TRIGGERS`.
        policy: ``fallback``, ``stop`` or ``ask`` (:class:`~proxylab.guard.episodes.Guard`).
        alpha: bound on the probability that a new honest agent is ever helped.
        budget: share of honest episodes that get help; replaces ``alpha``.
        hand_back: calm steps after which the watched policy acts again; None for never.
        watch: share of the steps at which the trigger is asked, drawn at random.
        irrecoverable: play the form of the task in which gaming cannot be undone
            (:attr:`~proxylab_envs.batch.BatchedEnv.irrecoverable`).
        split: of the levels; by default ``shifted`` where the task has it.
        episodes: number of levels.
        seed: of the levels and the action draws.
        device: on which networks run.
        env: see :func:`proxylab.environments.resolve.make_environment`.
    """

    trigger: str = DEFAULT_TRIGGER
    policy: str = FALLBACK
    alpha: float = 0.05
    budget: float | None = None
    hand_back: int | None = None
    watch: float = 1.0
    irrecoverable: bool = False
    split: str | None = None
    episodes: int = 200
    seed: int = 0
    device: str = "cpu"
    env: str | None = None

    def __post_init__(self) -> None:
        """``UsageError`` names the first invalid option."""
        find_trigger(self.trigger)
        check_episodes(self.episodes)
        if self.policy not in MODES:
            raise UsageError(f"no policy {self.policy!r}: {choices(self.policy, MODES)}")
        for name in ("alpha", "budget"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {value}")
        if not 0 < self.watch <= 1:
            raise UsageError(f"watch is a share above 0 and up to 1, not {self.watch}")
        if self.hand_back is not None and (self.policy != FALLBACK or self.hand_back < 1):
            raise UsageError("hand_back is a number of steps from 1, with the policy fallback")
