"""Pairing: which episodes of several policies are on the same levels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import Episodes


class NotApplicable(ValueError):
    """A score cannot be computed from these episodes; the message says why."""


def level_counts(episodes: Episodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64[L], int64[L]): the levels, ascending, and the number of episodes on each."""
    return np.unique(episodes.level_seed, return_counts=True)


def levels_and_counts(
    population: Sequence[Episodes],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64[L], int64[L]): the levels of any policy, ascending, and all episodes on each."""
    parts = [level_counts(episodes) for episodes in population]
    levels, rows = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.bincount(rows, np.concatenate([part[1] for part in parts]), len(levels))
    return levels, counts.astype(np.int64)


def shared_levels(population: Sequence[Episodes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Levels that every policy has, and the number of episodes that all have on each.

    Args:
        population: non-empty list of Episodes.

    Returns:
        (int64[L], int64[L]): levels, ascending; the smallest number of episodes of a
        policy on each.
    """
    levels, counts = level_counts(population[0])
    for episodes in population[1:]:
        other, other_counts = level_counts(episodes)
        levels, rows, other_rows = np.intersect1d(
            levels, other, assume_unique=True, return_indices=True
        )
        counts = np.minimum(counts[rows], other_counts[other_rows])
    return levels, counts


def restrict(episodes: Episodes, levels: NDArray[np.int64], counts: NDArray[np.int64]) -> Episodes:
    """The first ``counts[k]`` episodes on each of ``levels``, in the order of the levels.

    Policies restricted to the same levels and counts are paired: episode e of one
    is on the level of episode e of the other, and both have equally many (the bias of
    plug-in divergences depends on the number of episodes).

    Args:
        episodes: Episodes with at least so many on each level.
        levels: int64[L], ascending.
        counts: int64[L].
    """
    order = np.argsort(episodes.level_seed, kind="stable")
    ranked = episodes.level_seed[order]
    row = np.searchsorted(levels, ranked)
    known = row < len(levels)
    known[known] = levels[row[known]] == ranked[known]
    occurrence = np.arange(len(ranked)) - np.searchsorted(ranked, ranked)
    allowed = np.where(known, counts[np.minimum(row, len(levels) - 1)] if len(levels) else 0, 0)
    chosen = order[occurrence < allowed]
    if len(chosen) == len(order) and (chosen[1:] > chosen[:-1]).all():
        return episodes  # all of them, in this order already
    return episodes.select(chosen)


def by_level(episodes: Episodes) -> Episodes:
    """The episodes by level, ascending, and in their order on each; :func:`restrict` is faster."""
    return episodes.select(np.argsort(episodes.level_seed, kind="stable"))


def level_rows(levels: NDArray[np.int64], episodes: Episodes) -> NDArray[np.int64]:
    """int64[E]: index into ``levels`` (int64[L], ascending) of each episode's level.

    Raises:
        NotApplicable: a level is not among them.
    """
    rows = np.minimum(np.searchsorted(levels, episodes.level_seed), len(levels) - 1)
    unknown = np.flatnonzero(levels[rows] != episodes.level_seed)
    if unknown.size:
        seed = episodes.level_seed[unknown[0]]
        raise NotApplicable(f"the reference policies never played level {seed}")
    return rows


def require_states(episodes: Episodes, detector: str) -> None:
    """Raise :class:`NotApplicable` unless every step of ``episodes`` has a state index."""
    if episodes.num_states < 1 or (episodes.state_id < 0).any():
        raise NotApplicable(f"{detector} needs state_id at every step; {episodes.policy} lacks it")
