"""Summaries of the ground truth of episodes, with intervals: returns, outcomes.

Returns are undiscounted. A *normalised* return is the episode's return divided by the
optimal return of its level; undefined on levels whose optimal return is not positive.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.rollout import Outcomes
from proxylab.statistics.resampling import Interval, bootstrap_interval, wilson_interval
from proxylab_envs.channels import OUTCOMES


@dataclass(frozen=True)
class Return:
    """The mean return of a channel, with 95 % intervals over episodes.

    Attributes:
        mean: reward units.
        ci: (lower, upper) of ``mean``.
        normalised: mean of the normalised return; ``None`` if it is undefined on all levels.
        normalised_ci: (lower, upper) of ``normalised``, or ``None``.
    """

    mean: float
    ci: tuple[float, float]
    normalised: float | None
    normalised_ci: tuple[float, float] | None


@dataclass(frozen=True)
class Share:
    """A share of episodes, with its 95 % Wilson interval ``ci``."""

    share: float
    ci: tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Results of a policy on a set of levels.

    Attributes:
        true_return: of the intended reward.
        proxy_return: of the first proxy.
        trained_return: of the reward the agent was trained on.
        outcomes: share of each outcome (``intended``, ``proxy``, ``both``, ``neither``).
        proxy_first: share of episodes in which the proxy goal was reached first.
        length: mean number of steps.
    """

    true_return: Return
    proxy_return: Return
    trained_return: Return
    outcomes: dict[str, Share]
    proxy_first: Share
    length: float


def normalised_returns(
    returns: NDArray[np.float64], optimal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return divided by optimal return per level; NaN where the latter is not positive.

    Args:
        returns: float64[E].
        optimal: float64[E], of the same levels.
    """
    safe = np.where(optimal > 0, optimal, np.nan)
    return np.asarray(returns, np.float64) / safe


def summarise_return(
    returns: NDArray[np.float64], optimal: NDArray[np.float64], rng: np.random.Generator
) -> Return:
    """:class:`Return` of E episodes, from their returns and optimal returns (float64[E])."""
    mean = bootstrap_interval(returns, rng)
    shares = normalised_returns(returns, optimal)
    shares = shares[~np.isnan(shares)]
    if not len(shares):
        return Return(mean.estimate, bounds(mean), None, None)
    normalised = bootstrap_interval(shares, rng)
    return Return(mean.estimate, bounds(mean), normalised.estimate, bounds(normalised))


def summarise_share(flags: NDArray[np.bool_]) -> Share:
    """:class:`Share` of the true values among ``flags`` (bool[E])."""
    interval = wilson_interval(int(np.sum(flags)), len(flags))
    return Share(interval.estimate, bounds(interval))


def outcome_shares(outcome: NDArray[np.int8]) -> dict[str, Share]:
    """{outcome: :class:`Share`} from ``outcome`` (int8[E])."""
    return {name: summarise_share(outcome == code) for code, name in enumerate(OUTCOMES)}


def summarise(
    outcomes: Outcomes,
    optimal: Mapping[str, NDArray[np.float64]],
    weights: NDArray[np.float32],
    proxy_channel: str,
    rng: np.random.Generator,
) -> Summary:
    """:class:`Summary` of a policy's episodes.

    Args:
        outcomes: :class:`~proxylab.rollouts.rollout.Outcomes`.
        optimal: {channel: float64[E]}, best undiscounted return of each channel per level.
        weights: float[C], the trained reward as weights of the channels. Its optimum is
            taken as the weighted sum of the channels' optima, an upper bound for mixtures.
        proxy_channel: name of the proxy for ``proxy_return``.
        rng: numpy Generator, for the bootstrap.
    """
    best = np.column_stack([optimal[channel] for channel in outcomes.channels])
    trained = summarise_return(outcomes.returns @ weights, best @ weights, rng)
    by_channel = {
        channel: summarise_return(outcomes.returns_of(channel), optimal[channel], rng)
        for channel in ("true", proxy_channel)
    }
    return Summary(
        true_return=by_channel["true"],
        proxy_return=by_channel[proxy_channel],
        trained_return=trained,
        outcomes=outcome_shares(outcomes.outcome),
        proxy_first=summarise_share(outcomes.proxy_first),
        length=float(outcomes.length.mean()),
    )


def bounds(interval: Interval) -> tuple[float, float]:
    """(lower, upper) of an interval."""
    return interval.lower, interval.upper
