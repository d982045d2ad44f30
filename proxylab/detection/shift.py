"""How a suspect's occupancy differs from the trusted one, cell by cell and level by level.

The arithmetic of the certificate, whose estimates must never be biased in favour of the suspect:

- The cells are (level, state, action, proxy reward), or without the action, so that the
  proxy is constant on each; a coarser partition would shrink χ².
- Nothing is trimmed and nothing is smoothed: a cell that no trusted policy visits makes χ²
  infinite.
- After the end of an episode all remaining discounted weight lies on an absorbing cell without
  reward, or else the length of episodes would change the gain per step.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import (
    NotApplicable,
    level_rows,
    levels_and_counts,
    require_states,
)
from proxylab.detection.score_cache import Packing
from proxylab.rollouts.episodes import Episodes, batches_of
from proxylab.statistics.visitation import add_at

DISCOUNT = 0.99

UNCHANGED = 1e-12
"""χ² up to which behaviour counts as the same."""

MAX_TABLE = 1 << 23
"""Cells up to which weights are added up in a table (64 MiB) rather than by sorting."""

CELLS = ("state-actions", "states")
"""What distinguishes cells besides level and proxy reward."""


class TrustedVisits(NamedTuple):
    """Discounted occupancy of the pooled trusted policies, cell by cell.

    Attributes:
        cells_of: one of ``CELLS``.
        levels: int64[L], ascending.
        values: float32[V], the proxy rewards that occur, ascending, 0 among them.
        cells: int64[C], ascending: the cells that any trusted policy visits.
        weight: float64[C], positive; the cells of a level sum to 1.
        first: float64[L], mean proxy reward.
        second: float64[L], mean squared proxy reward.
    """

    cells_of: str
    levels: NDArray[np.int64]
    values: NDArray[np.float32]
    cells: NDArray[np.int64]
    weight: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


class Shift(NamedTuple):
    """How the suspect's occupancy differs from the trusted one, level by level.

    Attributes:
        gain: float64[L], mean proxy reward of the suspect minus that of the trusted, per step.
        chi2: float64[L], χ² on each level; infinite off the trusted support.
        first: float64[L], mean proxy reward of the trusted.
        second: float64[L], mean squared proxy reward of the trusted.
        coverage: float64[L], share of the suspect's occupancy on trusted cells.
        total_variation: float64[L], distance of the two occupancies, in [0, 1].
    """

    gain: NDArray[np.float64]
    chi2: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    coverage: NDArray[np.float64]
    total_variation: NDArray[np.float64]


def trusted_visits(trusted: Sequence[Episodes], cells_of: str = "state-actions") -> TrustedVisits:
    """:class:`TrustedVisits` of trusted policies.

    Args:
        trusted: non-empty list of Episodes.
        cells_of: ``states`` for cells that do not distinguish actions: the certificate then
            holds for true rewards that depend on the state alone.

    Raises:
        NotApplicable: proxy rewards or states are not known.
    """
    levels, _ = levels_and_counts(trusted)
    grid = _Grid(cells_of, levels, _reward_values(trusted))
    seen = _occupancy(grid, trusted)
    return TrustedVisits(*grid, seen.cells, seen.weight, seen.first, seen.second)


def visits_packing(trusted: list[Episodes]) -> Packing:
    """How :func:`trusted_visits` of these policies by states and actions is stored."""
    return Packing(
        fit=lambda: trusted_visits(trusted),
        pack=lambda visits: {n: v for n, v in visits._asdict().items() if n != "cells_of"},
        unpack=lambda arrays: TrustedVisits("state-actions", **arrays),
    )


def shift_from(visits: TrustedVisits, suspect: Episodes) -> Shift:
    """:class:`Shift` of the suspect's Episodes from ``visits`` (:class:`TrustedVisits`).

    Raises:
        NotApplicable: proxy rewards or states are not known, or a level without
            trusted episodes.
    """
    own, num_levels = _occupancy(visits, [suspect]), len(visits.levels)
    played = np.flatnonzero(own.episodes)
    cells, p = own.cells, own.weight
    level, q = cells // _stride(visits, suspect), _weight_of(visits, cells)

    def on_levels(level: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _totals(level, values, num_levels)

    covered = on_levels(level, np.where(q > 0, p, 0))
    outside = own.unknown + on_levels(level[q == 0], p[q == 0])
    unvisited = np.maximum(1 - on_levels(level, q), 0)
    moved = on_levels(level, np.where(q > 0, np.abs(p - q), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = on_levels(level, np.where(p == q, 0, (p - q) ** 2 / q)) + unvisited
    columns = Shift(
        gain=own.first - visits.first,
        chi2=np.where(outside > 0, np.inf, np.where(chi2 <= UNCHANGED, 0, chi2)),
        first=visits.first,
        second=visits.second,
        coverage=covered,
        total_variation=0.5 * (moved + unvisited + outside),
    )
    return Shift(*(column[played] for column in columns))


class LevelForm(NamedTuple):
    """The episodes of one level, in a form that allows reweighting.

    Attributes:
        gain: float64[n], mean proxy reward per step of each episode, less that of the trusted.
        form: float64[n, n], for which weights a (sum 1) give χ² = aᵀ form a; meaningless in the
            rows of episodes that leave the support.
        leaves: bool[n], the episode leaves the support.
    """

    gain: NDArray[np.float64]
    form: NDArray[np.float64]
    leaves: NDArray[np.bool_]


def level_forms(visits: TrustedVisits, suspect: Episodes) -> Iterator[LevelForm]:
    """:class:`LevelForm` of each level that the suspect's Episodes are on, levels ascending.

    With w_e the occupancy of episode e and q the trusted one, the mixture Σ a_e w_e has
    χ² = Σ_ee' a_e a_e' (Σ_c w_e(c) w_e'(c)/q(c) − 1).
    """
    seeds = suspect.level_seed
    for level in np.unique(seeds):
        yield _form(visits, suspect.select(np.flatnonzero(seeds == level)).loaded())


def _form(visits: TrustedVisits, suspect: Episodes) -> LevelForm:
    """The form of a suspect's episodes on one level."""
    steps, count = _steps(visits, suspect), suspect.num_episodes
    owner = np.append(suspect.episode_index, np.arange(count))
    q = _weight_of(visits, steps.cell)
    first = visits.first[level_rows(visits.levels, suspect)]
    gain = _totals(owner, steps.weight * steps.reward, count) - first
    leaves = np.bincount(owner[q == 0], minlength=count) > 0
    part = np.flatnonzero(q > 0)
    cells, column = np.unique(steps.cell[part], return_inverse=True)
    table = np.zeros((count, len(cells)))
    np.add.at(table, (owner[part], column), steps.weight[part])
    root = np.zeros(len(cells))
    root[column] = np.sqrt(q[part])
    scaled = table / root
    return LevelForm(gain, scaled @ scaled.T - 1, leaves)


class _Grid(NamedTuple):
    """The numbering of cells; the first fields of :class:`TrustedVisits`."""

    cells_of: str
    levels: NDArray[np.int64]
    values: NDArray[np.float32]


class _Steps(NamedTuple):
    """Steps, then one absorbing step per episode: their cells and discounted weights."""

    level: NDArray[np.int64]
    cell: NDArray[np.int64]
    reward: NDArray[np.float64]
    weight: NDArray[np.float64]
    episodes: NDArray[np.int64]


def _proxy_rewards(episodes: Episodes) -> NDArray[np.float32]:
    if episodes.proxy_reward is None:
        raise NotApplicable("the certificate needs proxy rewards")
    return episodes.proxy_reward


def _totals(
    index: NDArray[np.int64], weight: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """float64[size]: sum of ``weight`` (float64[N]) at each value of ``index`` (int64[N])."""
    return np.asarray(np.bincount(index, weight, size), np.float64)


def _weight_of(visits: TrustedVisits, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[N], trusted weight of each cell (int64[N]); 0 off the support."""
    place = np.minimum(np.searchsorted(visits.cells, cells), len(visits.cells) - 1)
    return np.where(visits.cells[place] == cells, visits.weight[place], 0.0)


def _stride(grid: _Grid | TrustedVisits, episodes: Episodes) -> int:
    """Number of cells of a level: every state (and action), and the absorbing one, by reward."""
    actions = episodes.num_actions if grid.cells_of == "state-actions" else 1
    return (episodes.num_states * actions + 1) * len(grid.values)


def _steps(grid: _Grid | TrustedVisits, episodes: Episodes) -> _Steps:
    """:class:`_Steps`; an episode's weights sum to 1; cell −1 for a reward not in ``values``.

    The remaining weight after the end lies on the absorbing cell, whose reward is 0.
    """
    require_states(episodes, "the certificate")
    levels, values = grid.levels, grid.values
    row, length = level_rows(levels, episodes), episodes.lengths
    stride = _stride(grid, episodes)
    reward = _proxy_rewards(episodes)
    code = np.minimum(np.searchsorted(values, reward), len(values) - 1)
    place = episodes.state_id
    if grid.cells_of == "state-actions":
        place = place * episodes.num_actions + episodes.action
    cell = np.repeat(row, length) * stride + place * len(values) + code
    cell[values[code] != reward] = -1
    end = row * stride + stride - len(values) + np.searchsorted(values, 0)
    longest = int(length.max(initial=0))
    powers = DISCOUNT ** np.arange(longest + 1)
    step = np.arange(episodes.num_steps) - np.repeat(episodes.episode_offsets[:-1], length)
    return _Steps(
        level=np.append(np.repeat(row, length), row),
        cell=np.append(cell, end),
        reward=np.append(reward.astype(float), np.zeros(len(row))),
        weight=np.append((1 - DISCOUNT) * powers[step], powers[length]),
        episodes=np.bincount(row, minlength=len(levels)),
    )


class _Occupancy(NamedTuple):
    """Discounted occupancy of policies together, each level's weights summing to 1.

    ``cells``, ``weight``, ``first`` and ``second`` as in :class:`TrustedVisits`; ``unknown`` is
    float64[L], weight on rewards that are not in ``values``, ``episodes`` int64[L].
    """

    cells: NDArray[np.int64]
    weight: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    unknown: NDArray[np.float64]
    episodes: NDArray[np.int64]


def _occupancy(grid: _Grid | TrustedVisits, population: Sequence[Episodes]) -> _Occupancy:
    """Sums over all episodes, batch by batch; by a table of all cells where that is small."""
    levels, count = levels_and_counts(population)
    episodes = np.zeros(len(grid.levels), np.int64)
    episodes[np.searchsorted(grid.levels, _known(grid.levels, levels))] = count
    size = len(grid.levels) * _stride(grid, population[0])
    visited = None if size <= MAX_TABLE else _visited(grid, population)
    table = np.zeros(size if visited is None else len(visited))
    first, second, unknown = np.zeros((3, len(grid.levels)))
    for batch in batches_of(population):
        steps = _steps(grid, batch)
        weight = steps.weight / episodes[steps.level]
        known = steps.cell >= 0
        cells = steps.cell[known]
        place = cells if visited is None else np.searchsorted(visited, cells)
        add_at(table, place, weight[known])
        add_at(first, steps.level, weight * steps.reward)
        add_at(second, steps.level, weight * steps.reward**2)
        add_at(unknown, steps.level[~known], weight[~known])
    if visited is None:
        visited = np.flatnonzero(table)
        table = table[visited]
    return _Occupancy(visited, table, first, second, unknown, episodes)


def _known(levels: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """``own``, where all are among ``levels``."""
    other = own[~np.isin(own, levels)]
    if other.size:
        raise NotApplicable(f"the reference policies never played level {other[0]}")
    return own


def _visited(grid: _Grid | TrustedVisits, population: Sequence[Episodes]) -> NDArray[np.int64]:
    """int64[C], ascending: the cells with a step."""
    visited = np.empty(0, np.int64)
    for batch in batches_of(population):
        cells = _steps(grid, batch).cell
        visited = np.union1d(visited, cells[cells >= 0])
    return visited


def _reward_values(trusted: Sequence[Episodes]) -> NDArray[np.float32]:
    """float32[V], the proxy rewards that occur, ascending, 0 among them."""
    values = np.zeros(1, np.float32)
    for batch in batches_of(trusted):
        rewards = _proxy_rewards(batch)
        place = np.minimum(np.searchsorted(values, rewards), len(values) - 1)
        values = np.union1d(values, rewards[values[place] != rewards])
    return values
