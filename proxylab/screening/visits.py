"""Tables of visits by level, and the selection of the levels that a report draws."""

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.sequences import NEVER

CANDIDATES = 60
"""Number of candidate levels among which those with different drawings are selected."""


def telling(
    left: NDArray[np.int64],
    apart: NDArray[np.float64],
    lengths: NDArray[np.float64],
    level_seeds: NDArray[np.int64],
    count: int = CANDIDATES,
) -> list[int]:
    """Episodes that show best where a suspect diverges from the reference agents.

    Candidates differ at least half as much as the episode that differs most. Those with many
    steps both before and after the divergence come first; one episode per level.

    Args:
        left: int64[K], steps at which the suspect has diverged from all reference agents,
            ``NEVER`` where it does not.
        apart: float64[K], difference between its visits and those of the trusted agents.
        lengths: float64[K], mean episode length of the reference agents, steps.
        level_seeds: int64[K] or more.
        count: maximal number of episodes.

    Returns:
        list of int.
    """
    diverged = np.flatnonzero((left != NEVER) & (apart > 0))
    if not diverged.size:
        return []
    chosen = diverged[apart[diverged] >= 0.5 * apart[diverged].max()]
    ranked = chosen[np.lexsort((-apart[chosen], -np.minimum(left, lengths - left)[chosen]))]
    _, first = np.unique(level_seeds[ranked], return_index=True)
    return ranked[np.sort(first)][:count].tolist()


def visit_counts(episodes: Episodes, rows: int) -> NDArray[np.float64]:
    """float64[rows, S]: visits of each state in each of the first episodes."""
    stop = episodes.episode_offsets[rows]
    cells = episodes.episode_index[:stop] * episodes.num_states + episodes.state_id[:stop]
    return np.bincount(cells, minlength=rows * episodes.num_states).reshape(rows, -1).astype(float)


def normalised(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows of a table of counts, each divided by its sum."""
    return counts / counts.sum(axis=1, keepdims=True)


def total_variation(shares: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total variation between the rows of two tables of shares: float64[K] in [0, 1]."""
    return 0.5 * np.abs(shares - other).sum(axis=1)


def state_shares(episodes: Episodes) -> NDArray[np.float64]:
    """float64[S]: share of steps in each state."""
    counts = np.bincount(episodes.state_id, minlength=episodes.num_states)
    return counts / counts.sum()
