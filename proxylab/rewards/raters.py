"""Raters: who compares two clips. Here simulated ones; people use ``proxylab app --rate``.

A simulated rater has a *hard proxy*, a reward channel of the environment, and prefers the left
clip with the probability of Bradley and Terry, σ(β · (return of the left − return of the right)).
A share of the answers is flipped. It may have a blind spot: it sees only the last steps of a
clip, or another channel than the one that is wanted.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError

LEFT, RIGHT, EQUAL, UNSURE = "left", "right", "equal", "unsure"
ANSWERS = (LEFT, RIGHT, EQUAL, UNSURE)
"""Answers in a preferences file; their numbers are their places here."""

SIDES = (LEFT, RIGHT)
SCHEMA = "proxylab.preferences/1"
"""Of a preferences file."""

KINDS = ("boltzmann", "noiseless")

RATIONALITY = {"boat-lagoon": 10.0, "tomato-watering": 0.5}
"""Rationality of the raters of experiments and shipped reward models: about 2.7 over the standard
deviation of the clips' returns."""


@dataclass(frozen=True)
class Rater:
    """A simulated rater.

    Attributes:
        beta: rationality β, in 1 over reward units; infinite for one who never errs.
        flip: share of answers that are flipped.
        channel: reward channel that it judges by: its hard proxy.
        last: it sees only so many last steps of a clip; None for all.
    """

    beta: float = np.inf
    flip: float = 0.0
    channel: str = "true"
    last: int | None = None

    def __post_init__(self) -> None:
        """``UsageError`` for a value that makes no sense."""
        if not self.beta > 0:
            raise UsageError(f"rater: rationality {self.beta:g} is not positive")
        if not 0 <= self.flip <= 1:
            raise UsageError(f"rater: a flipped share of {self.flip:g} is not between 0 and 1")
        if self.last is not None and self.last < 1:
            raise UsageError(f"rater: it must see at least one step, not {self.last}")

    @property
    def name(self) -> str:
        """Its card in one line, such as ``boltzmann:3 of true, 25 % flipped``."""
        kind = "noiseless" if np.isinf(self.beta) else f"boltzmann:{self.beta:g}"
        flipped = f", {self.flip:.0%} flipped" if self.flip else ""
        blind = f", sees the last {self.last} steps" if self.last else ""
        return f"{kind} of {self.channel}{flipped}{blind}"

    def returns(
        self, rewards: NDArray[np.float32], channels: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """float64[N]: what it sees of the return of each clip.

        Args:
            rewards: float32[N, T, C].
            channels: names of the C channels.
        """
        if self.channel not in channels:
            raise UsageError(f"rater: unknown channel {self.channel!r}: {', '.join(channels)}")
        own = rewards[:, :, channels.index(self.channel)].astype(np.float64)
        return own[:, -self.last :].sum(1) if self.last else own.sum(1)

    def answer(
        self, left: NDArray[np.float64], right: NDArray[np.float64], rng: np.random.Generator
    ) -> "Answered":
        """Compare pairs of clips by their returns (float64[P] each): :class:`Answered`.

        A noiseless rater calls equal returns equal.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            preferred = 1 / (1 + np.exp(-self.beta * (left - right)))
        tied = np.isinf(self.beta) & (left == right)
        preferred = np.where(tied, 0.5, preferred)
        probability = (1 - self.flip) * preferred + self.flip * (1 - preferred)
        answers = np.where(rng.random(len(left)) < probability, LEFT, RIGHT)
        return Answered(np.where(tied, EQUAL, answers), probability)


class Answered(NamedTuple):
    """Answers to P questions, and the probability of ``left`` for each."""

    answer: NDArray[np.str_]
    probability: NDArray[np.float64]


def parse_rater(
    text: str, *, flip: float = 0.0, channel: str = "true", last: int | None = None
) -> Rater:
    """A :class:`Rater` from ``boltzmann:β`` or ``noiseless``.

    Raises:
        UsageError: another text, or an invalid value.
    """
    kind, _, number = text.partition(":")
    if kind not in KINDS or bool(number) != (kind == "boltzmann"):
        raise UsageError(f"rater {text!r}: choose boltzmann:<rationality> or noiseless")
    try:
        beta = float(number) if number else np.inf
    except ValueError:
        raise UsageError(f"rater {text!r}: {number!r} is no number") from None
    if not (np.isfinite(beta) or kind == "noiseless"):
        raise UsageError(f"rater {text!r}: {number} is not finite")
    return Rater(beta, flip, channel, last)
