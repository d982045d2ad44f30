"""How a suspect's occupancy differs from the trusted one, cell by cell and level by level.

The arithmetic of the certificate, whose estimates must never be biased in favour of the suspect:

- The cells are (level, state, action, proxy reward), or without the action, so that the
  proxy is constant on each; a coarser partition would shrink χ².
- Nothing is trimmed and nothing is smoothed: a cell that no trusted policy visits makes χ²
  infinite.
- After the end of an episode all remaining discounted weight lies on an absorbing cell without
  reward, or else the length of episodes would change the gain per step.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.score_cache import Packing
from proxylab.rollouts.episodes import Episodes

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
    for episodes in trusted:
        _require(episodes)
    levels = np.unique(np.concatenate([episodes.level_seed for episodes in trusted]))
    rewards = [np.unique(_proxy_rewards(episodes)) for episodes in trusted]
    values = np.unique(np.concatenate([*rewards, np.zeros(1, np.float32)]))
    grid = _Grid(cells_of, levels, values)
    parts = [_steps(grid, episodes) for episodes in trusted]
    count = np.sum([part.episodes for part in parts], axis=0)
    level = np.concatenate([part.level for part in parts])
    weight = np.concatenate([part.weight for part in parts]) / count[level]
    reward = np.concatenate([part.reward for part in parts])
    size = len(levels) * _stride(grid, trusted[0])
    cells, total = _summed(np.concatenate([part.cell for part in parts]), weight, size)
    first, second = (_totals(level, weight * reward**k, len(levels)) for k in (1, 2))
    return TrustedVisits(*grid, cells, total, first, second)


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
    _require(suspect)
    steps, num_levels = _steps(visits, suspect), len(visits.levels)
    played = np.flatnonzero(steps.episodes)
    weight = steps.weight / steps.episodes[steps.level]
    known = steps.cell >= 0
    stride = _stride(visits, suspect)
    cells, p = _summed(steps.cell[known], weight[known], num_levels * stride)
    level, q = cells // stride, _weight_of(visits, cells)

    def on_levels(level: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _totals(level, values, num_levels)

    covered = on_levels(level, np.where(q > 0, p, 0))
    outside = on_levels(steps.level[~known], weight[~known]) + on_levels(level[q == 0], p[q == 0])
    unvisited = np.maximum(1 - on_levels(level, q), 0)
    moved = on_levels(level, np.where(q > 0, np.abs(p - q), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = on_levels(level, np.where(p == q, 0, (p - q) ** 2 / q)) + unvisited
    columns = Shift(
        gain=on_levels(steps.level, weight * steps.reward) - visits.first,
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


def level_forms(visits: TrustedVisits, suspect: Episodes) -> list[LevelForm]:
    """:class:`LevelForm` of each level that the suspect's Episodes are on, levels ascending.

    With w_e the occupancy of episode e and q the trusted one, the mixture Σ a_e w_e has
    χ² = Σ_ee' a_e a_e' (Σ_c w_e(c) w_e'(c)/q(c) − 1).
    """
    steps = _steps(visits, suspect)
    owner = np.append(suspect.episode_index, np.arange(suspect.num_episodes))
    q = _weight_of(visits, steps.cell)
    first = visits.first[level_rows(visits.levels, suspect)]
    gain = _totals(owner, steps.weight * steps.reward, suspect.num_episodes) - first
    leaves = np.bincount(owner[q == 0], minlength=suspect.num_episodes) > 0
    order = np.argsort(steps.level, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(steps.level[order])) + 1)
    return [_form(part[q[part] > 0], steps, q, owner, gain, leaves, owner[part]) for part in parts]


def _form(
    part: NDArray[np.int64],
    steps: "_Steps",
    q: NDArray[np.float64],
    owner: NDArray[np.int64],
    gain: NDArray[np.float64],
    leaves: NDArray[np.bool_],
    members: NDArray[np.int64],
) -> LevelForm:
    """The form of the steps ``part`` (those on the support) of the episodes ``members``."""
    episodes = np.unique(members)
    cells, column = np.unique(steps.cell[part], return_inverse=True)
    table = np.zeros((len(episodes), len(cells)))
    np.add.at(table, (np.searchsorted(episodes, owner[part]), column), steps.weight[part])
    root = np.zeros(len(cells))
    root[column] = np.sqrt(q[part])
    scaled = table / root
    return LevelForm(gain[episodes], scaled @ scaled.T - 1, leaves[episodes])


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


def _require(episodes: Episodes) -> None:
    require_states(episodes, "the certificate")
    _proxy_rewards(episodes)


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


def _summed(
    cells: NDArray[np.int64], weight: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(the different cells, ascending; their total weights), by a table if ``size`` is small."""
    if size <= MAX_TABLE:
        table = _totals(cells, weight, size)
        visited = np.flatnonzero(table)
        return visited, table[visited]
    visited, where = np.unique(cells, return_inverse=True)
    return visited, _totals(where, weight, len(visited))
