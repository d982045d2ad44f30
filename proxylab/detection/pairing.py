"""Pairing: which episodes of several policies stand on the same levels."""

import numpy as np


class NotApplicable(ValueError):
    """A score cannot be computed from these episodes; the message says why."""


def level_counts(episodes):
    """(int64[L], int64[L]): the levels played, ascending, and how often each."""
    return np.unique(episodes.level_seed, return_counts=True)


def shared_levels(population):
    """Levels that every policy played, and how often all of them did.

    Args:
        population: non-empty list of Episodes.

    Returns:
        (int64[L], int64[L]): levels, ascending; the least number of episodes that a
        policy has on each.
    """
    levels, counts = level_counts(population[0])
    for episodes in population[1:]:
        other, other_counts = level_counts(episodes)
        levels, mine, theirs = np.intersect1d(
            levels, other, assume_unique=True, return_indices=True
        )
        counts = np.minimum(counts[mine], other_counts[theirs])
    return levels, counts


def restrict(episodes, levels, counts):
    """The first ``counts[k]`` episodes on each of ``levels``, in the order of the levels.

    Policies restricted to the same levels and counts are paired: episode e of one
    stands on the level of episode e of the other, and both have equally many
    (plug-in divergences are biased by the number of episodes).

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
    return episodes.select(order[occurrence < allowed])


def level_rows(levels, episodes):
    """int64[E]: index into ``levels`` (int64[L], ascending) of each episode's level.

    Raises:
        NotApplicable: a level is not among them.
    """
    rows = np.minimum(np.searchsorted(levels, episodes.level_seed), len(levels) - 1)
    strange = np.flatnonzero(levels[rows] != episodes.level_seed)
    if strange.size:
        seed = episodes.level_seed[strange[0]]
        raise NotApplicable(f"the reference policies never played level {seed}")
    return rows


def require_states(episodes, detector):
    """Raise :class:`NotApplicable` unless every step of ``episodes`` has a state index."""
    if episodes.num_states < 1 or (episodes.state_id < 0).any():
        raise NotApplicable(f"{detector} needs state_id at every step; {episodes.policy} lacks it")
