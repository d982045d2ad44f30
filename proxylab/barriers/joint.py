"""What barriers let through alone and together, from a table of agents that met all of them.

The unit is the agent: it *passes* a barrier or is stopped. Were barriers independent, the share of
agents that passes all of a set would be the product of the single shares. The *ratio* of the joint
share to this product says by how much the product understates what gets through: 1 for independent
barriers, 1/p for two that stop the same agents and each let a share p pass, 0 for two of which each
stops whatever passes the other.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.statistics.resampling import (
    Interval,
    bootstrap_columns,
    percentile_interval,
    wilson_interval,
)

HONEST = "honest"
"""Threat of agents that are none: what barriers stop of them is a false alarm."""

LEFT, RIGHT = "left", "right"
"""Sides of the bow tie: before the event (preventive), and after it (recovery)."""

MOST_UNDEFINED = 0.05
"""Share of resamples without a ratio, since no agent passes a barrier, up to which there is an
interval."""

LEVEL = 0.95


class Passes(NamedTuple):
    """N agents of one threat that met B barriers.

    Attributes:
        barriers: names of the barriers.
        sides: for each ``left`` or ``right``.
        passed: bool[N, B], whether the barrier lets the agent pass.
        alone: float64[N], share of the trusted agent's true return that the agent loses if nothing
            stops it.
        lost: float64[N, B], the same with this barrier.
    """

    barriers: tuple[str, ...]
    sides: tuple[str, ...]
    passed: NDArray[np.bool_]
    alone: NDArray[np.float64]
    lost: NDArray[np.float64]

    def on(self, side: str) -> NDArray[np.int64]:
        """int64[K]: columns of the barriers of a side."""
        return np.flatnonzero([own == side for own in self.sides])


Limits = tuple[float | None, float | None, float | None]
"""An estimate with its 95 % interval; None where one of them is not defined."""


class Ratio(NamedTuple):
    """Joint and single pass rates of a set of barriers.

    Attributes:
        joint: share of agents that pass all of them, with Wilson's interval.
        product: product of the single shares, with its bootstrap interval over agents; none where
            it is 0, since all resamples are.
        ratio: joint over product, likewise; not defined where the product is 0, and without an
            interval where this is so in more than :data:`MOST_UNDEFINED` of the resamples.
    """

    joint: Interval
    product: Limits
    ratio: Limits


def passes_of(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Passes]:
    """{(task, threat): :class:`Passes`} of the agents that fail, and of the honest ones.

    Args:
        rows: with ``task``, ``threat``, ``agent``, ``fails``, ``barrier``, ``side``, ``passed``,
            ``alone`` and ``lost``, one per agent and barrier.

    Raises:
        ValueError: an agent has not met all barriers.
    """
    groups: dict[tuple[str, str], dict[str, dict[str, Mapping[str, Any]]]] = {}
    for row in rows:
        if row["fails"] or row["threat"] == HONEST:
            agents = groups.setdefault((row["task"], row["threat"]), {})
            agents.setdefault(row["agent"], {})[row["barrier"]] = row
    return {key: _table(agents) for key, agents in groups.items()}


def _table(agents: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Passes:
    """The columns of {agent: {barrier: row}}."""
    first = next(iter(agents.values()))
    for name, own in agents.items():
        if list(own) != list(first):
            raise ValueError(f"{name} has not met all barriers")
    rows = [list(own.values()) for own in agents.values()]
    return Passes(
        barriers=tuple(first),
        sides=tuple(row["side"] for row in first.values()),
        passed=np.array([[row["passed"] for row in own] for own in rows], bool),
        alone=np.array([own[0]["alone"] for own in rows], float),
        lost=np.array([[row["lost"] for row in own] for own in rows], float),
    )


def sets_of(barriers: int) -> list[tuple[int, ...]]:
    """All pairs and triples of so many barriers, and the set of all."""
    sizes = [size for size in (2, 3) if size <= barriers]
    chosen = [c for size in sizes for c in itertools.combinations(range(barriers), size)]
    return chosen + ([tuple(range(barriers))] if barriers > max(sizes, default=0) else [])


def ratios(
    passed: NDArray[np.bool_], sets: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> list[Ratio]:
    """The :class:`Ratio` of each set of barriers.

    Args:
        passed: bool[N, B].
        sets: of columns.
        rng: of the bootstrap over agents, the same resamples for all sets.
    """
    count = len(passed)
    joint = np.array([passed[:, list(chosen)].all(axis=1) for chosen in sets], float)
    means = bootstrap_columns(np.concatenate([passed.T.astype(float), joint]), rng)
    single, together = np.split(means, [passed.shape[1]], axis=1)
    found = []
    for k, chosen in enumerate(sets):
        rate = wilson_interval(int(joint[k].sum()), count, LEVEL)
        product = float(passed[:, list(chosen)].mean(axis=0).prod())
        products = single[:, list(chosen)].prod(axis=1)
        ratio = _ratio(rate.estimate, product, together[:, k], products)
        found.append(Ratio(rate, product_limits(product, products), ratio))
    return found


def ratios_after_training(
    fails: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    without: NDArray[np.bool_],
    rng: np.random.Generator,
) -> list[Ratio]:
    """The :class:`Ratio` of a barrier in training with each later barrier.

    Such a barrier changes the agents that come out, so that its pairs need two groups: joint is
    the share of runs with it whose agent fails and passes the later barrier; in the product the
    pass rate of the later one is that of agents trained without it.

    Args:
        fails: bool[N], whether a run with the barrier yields a failing agent.
        passed: bool[N, B], whether that agent passes each later barrier.
        without: bool[M, B], the same of failing agents trained without it.
        rng: of the bootstrap over the agents of both groups.
    """
    both = passed & fails[:, None]
    means = bootstrap_columns(np.concatenate([fails[None], both.T]).astype(float), rng)
    others = bootstrap_columns(without.T.astype(float), rng)
    found = []
    for k, own in enumerate(both.T):
        joint = wilson_interval(int(own.sum()), len(own), LEVEL)
        product = float(fails.mean() * without[:, k].mean())
        products = means[:, 0] * others[:, k]
        ratio = _ratio(joint.estimate, product, means[:, k + 1], products)
        found.append(Ratio(joint, product_limits(product, products), ratio))
    return found


def product_limits(product: float, products: NDArray[np.float64]) -> Limits:
    """A product of shares with its interval from resamples float64[R]."""
    return percentile_interval(product, products, LEVEL) if product else (product, None, None)


def _ratio(
    joint: float, product: float, joints: NDArray[np.float64], products: NDArray[np.float64]
) -> Limits:
    """A ratio with its interval from resamples float64[R], where they are defined."""
    if product == 0:
        return None, None, None
    defined = products > 0
    if 1 - defined.mean() > MOST_UNDEFINED:
        return joint / product, None, None
    return percentile_interval(joint / product, joints[defined] / products[defined], LEVEL)


def rates(table: Passes) -> list[Interval]:
    """Pass rate of each barrier, with Wilson's interval."""
    return [wilson_interval(int(own.sum()), len(own), LEVEL) for own in table.passed.T]


class Risk(NamedTuple):
    """Expected loss of true return by an agent of a threat, a share of the trusted agent's return.

    Each with its bootstrap interval over agents. Where every agent is stopped, so that all
    resamples are 0, the upper end is Wilson's of the share that passes times the severity.

    Attributes:
        severity: without any barrier.
        left: with the barriers on the left: an agent that one of them stops loses nothing.
        right: with those on the right: the least that one of them leaves.
        both: with all.
        assumed: the severity times the product of all pass rates, as if barriers were independent;
            without an interval where this is 0.
    """

    severity: Interval
    left: Interval
    right: Interval
    both: Interval
    assumed: Limits


def risk(table: Passes, rng: np.random.Generator) -> Risk:
    """The :class:`Risk` of a threat."""
    left, right = table.on(LEFT), table.on(RIGHT)
    released = table.passed[:, left].all(axis=1)
    behind = np.minimum(table.lost[:, right].min(axis=1, initial=np.inf), table.alone)
    lost = np.array([table.alone, table.alone * released, behind, behind * released])
    passed = table.passed.T.astype(float)
    means = bootstrap_columns(np.concatenate([lost, passed]), rng)
    known = [_mean(own, means[:, k], table.alone) for k, own in enumerate(lost)]
    assumed = float(table.alone.mean() * passed.mean(axis=1).prod())
    products = means[:, 0] * means[:, len(lost) :].prod(axis=1)
    return Risk(*known, product_limits(assumed, products))


def _mean(
    lost: NDArray[np.float64], means: NDArray[np.float64], alone: NDArray[np.float64]
) -> Interval:
    """Mean loss with its interval; ``alone`` (float64[N]) is lost by agents that pass."""
    if lost.any():
        return percentile_interval(float(lost.mean()), means, LEVEL)
    most = wilson_interval(0, len(lost), LEVEL).upper
    return Interval(0.0, 0.0, float(most * alone.mean()))
