"""Triggers: how alarming a step of a policy is, before it is taken.

A trigger is a function of what is known at the step. Most are *scores of the step*; ``divergence``
is summed over the episode, so that many small differences count as one large one.

The uncertainty triggers are those of Trinh et al. 2024 (arXiv 2410.21052, section 4): maximum
probability, margin, entropy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError, choices
from proxylab.statistics.divergences import total_variation
from proxylab_envs.streams import combine, unit_interval

BANK, NEIGHBOUR = 2_000, 10
"""Features that ``neighbours`` keeps, and the rank of the one it measures the distance to."""

FLOOR = 1e-3
"""Least probability of an action of trusted policies: a single step counts 6.9 nats at most."""


class Step(NamedTuple):
    """What a trigger may look at, in K environments before they act.

    Attributes:
        suspect: float32[K, A], action probabilities of the policy that is watched.
        trusted: float32[M, K, A], those of trusted policies in the same state.
        level_seed: int64[K].
        number: int64[K], of the step in its episode.
        values: float32[M, K], what trusted policies expect of the state; M is 0 where no trigger
            reads them.
        features: float32[K, F], of the first trusted policy's trunk; F is 0 likewise.
    """

    suspect: NDArray[np.float32]
    trusted: NDArray[np.float32]
    level_seed: NDArray[np.int64]
    number: NDArray[np.int64]
    values: NDArray[np.float32]
    features: NDArray[np.float32]


Score = Callable[[Step], NDArray[np.float64]]
"""Function (:class:`Step`) -> float64[K], greater is more alarming."""
Distance = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True)
class Trigger:
    """A trigger.

    Attributes:
        name: for the command line and tables.
        score: function (:class:`Step`) -> float64[K], greater is more alarming.
        reads_trusted: whether it needs the probabilities of trusted policies.
        adds_up: whether the score of a step is added to those before it in the episode.
        reads_values: whether it needs the values of trusted policies.
        fit: function (float32[N, F] features of states that trusted policies visit) -> ``score``,
            for one that compares with them; its own ``score`` is not used.
        calm: for one that adds up, the score of a step at which the policy counts as calm.
        distance: for one that is the least distance from a trusted policy, function (float32[K, A],
            float32[K, A]) -> float64[K], the distance of two policies.
        says: what it measures, in a few words.
    """

    name: str
    score: Score
    says: str
    reads_trusted: bool = False
    reads_values: bool = False
    fit: Callable[[NDArray[np.float32]], Score] | None = None
    adds_up: bool = False
    calm: float = 0.0
    distance: Distance | None = None


def _divergence(step: Step) -> NDArray[np.float64]:
    """Nats: KL divergence of the policy's actions from the mixture of trusted ones."""
    mixture = np.maximum(step.trusted.mean(axis=0, dtype=np.float64), FLOOR)
    own = step.suspect.astype(np.float64)
    return np.sum(own * np.log(np.maximum(own, 1e-12) / mixture), axis=1)


def _departure(step: Step) -> NDArray[np.float64]:
    """Least total variation distance to a trusted policy, in [0, 1]."""
    return np.min([total_variation(other, step.suspect) for other in step.trusted], axis=0)


def _disagreement(step: Step) -> NDArray[np.float64]:
    """Mean total variation distance of trusted policies from their mixture, in [0, 1]."""
    mixture = step.trusted.mean(axis=0)
    return np.mean([total_variation(other, mixture) for other in step.trusted], axis=0)


def _entropy(step: Step) -> NDArray[np.float64]:
    own = step.suspect.astype(np.float64)
    return -np.sum(own * np.log(np.maximum(own, 1e-12)), axis=1)


def _max_probability(step: Step) -> NDArray[np.float64]:
    return -step.suspect.max(axis=1).astype(np.float64)


def _margin(step: Step) -> NDArray[np.float64]:
    first, second = np.sort(step.suspect.astype(np.float64), axis=1)[:, :-3:-1].T
    return second - first


def _value_disagreement(step: Step) -> NDArray[np.float64]:
    """Standard deviation of what trusted policies expect, in units of their training reward."""
    return step.values.std(axis=0, dtype=np.float64)


def _no_score(_step: Step) -> NDArray[np.float64]:
    raise ValueError("this trigger has to be fitted first")


def _mahalanobis(visited: NDArray[np.float32]) -> Score:
    """Distance from the mean of the visited features, by their covariance.

    The covariance is shrunk towards its diagonal by a tenth, since features may be constant.
    Source: Lee et al. 2018, arXiv 1807.03888, with one class.
    """
    mean = visited.mean(axis=0, dtype=np.float64)
    covariance = np.atleast_2d(np.cov(visited.T.astype(np.float64)))
    diagonal = np.diag(np.diag(covariance) + 1e-6)
    inverse = np.linalg.inv(0.9 * covariance + 0.1 * diagonal)

    def score(step: Step) -> NDArray[np.float64]:
        off = step.features - mean
        return np.sqrt(np.einsum("kf,fg,kg->k", off, inverse, off))

    return score


def _neighbours(visited: NDArray[np.float32]) -> Score:
    """Euclidean distance to the 10th nearest of at most 2,000 visited features.

    Source: Sun et al. 2022, arXiv 2204.06507; features are divided by their norm.
    """
    bank = _unit(visited[:: max(len(visited) // BANK, 1)][:BANK])
    rank = min(NEIGHBOUR, len(bank)) - 1

    def score(step: Step) -> NDArray[np.float64]:
        squares = 2 - 2 * _unit(step.features) @ bank.T
        nearest = np.partition(squares, rank, axis=1)[:, rank]
        return np.sqrt(np.maximum(nearest, 0.0))

    return score


def _unit(features: NDArray[np.float32]) -> NDArray[np.float64]:
    own = features.astype(np.float64)
    return own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)


def _random(step: Step) -> NDArray[np.float64]:
    """A uniform number of the level and the step."""
    return _uniform(7, step.level_seed, step.number)


def spot_checked(
    level_seeds: NDArray[np.int64], numbers: NDArray[np.int64], share: float
) -> NDArray[np.bool_]:
    """bool[K]: whether a step is among a share of all, drawn by its level and its number.

    Args:
        level_seeds: int64[K].
        numbers: int64[K], of the steps in their episodes.
        share: in [0, 1]; the steps of a smaller one are among those of a larger one.
    """
    return _uniform(8, level_seeds, numbers) < share


@numba.njit(cache=True)
def _uniform(
    stream: int, level_seeds: NDArray[np.int64], numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """float64[K] in [0, 1)."""
    values = np.empty(len(numbers))
    for k in range(len(numbers)):
        level = combine(np.uint64(stream), level_seeds[k])
        values[k] = unit_interval(combine(level, numbers[k]))
    return values


TRIGGERS = {
    trigger.name: trigger
    for trigger in (
        Trigger(
            "divergence",
            _divergence,
            "KL divergence from the mixture of trusted policies, summed over the episode",
            reads_trusted=True,
            adds_up=True,
            calm=0.1,
        ),
        Trigger(
            "departure",
            _departure,
            "total variation distance from the nearest trusted policy, at a step",
            reads_trusted=True,
            distance=total_variation,
        ),
        Trigger(
            "disagreement",
            _disagreement,
            "how far trusted policies are apart, at a step",
            reads_trusted=True,
        ),
        Trigger(
            "value-disagreement",
            _value_disagreement,
            "how far the values of trusted policies are apart, at a step",
            reads_values=True,
        ),
        Trigger(
            "mahalanobis",
            _no_score,
            "how far the state is from those that trusted policies visit in training",
            fit=_mahalanobis,
        ),
        Trigger(
            "neighbours",
            _no_score,
            "distance to the 10th nearest of these states",
            fit=_neighbours,
        ),
        Trigger("entropy", _entropy, "entropy of the policy's actions"),
        Trigger("max-probability", _max_probability, "how small its largest probability is"),
        Trigger("margin", _margin, "how close its two largest probabilities are"),
        Trigger("random", _random, "a random number: help at the same rate, at any step"),
    )
}
"""{name: :class:`Trigger`}."""

DEFAULT_TRIGGER = "departure"


def find_trigger(name: str) -> Trigger:
    """The trigger of that name; ``UsageError`` names the known ones."""
    if name not in TRIGGERS:
        raise UsageError(f"no trigger {name!r}: {choices(name, TRIGGERS)}")
    return TRIGGERS[name]
