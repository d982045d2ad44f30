"""Dense state ids for environments whose state ids are hashes of observations.

A hash is below ``environments.state_hash.HASHED_STATES`` and equal for equal observations in
every process. Detectors count visits in tables with one row per state, so before detection
the hashes that occur are numbered 0, 1, 2, …, with the same numbers for all policies.

Observations of real numbers rarely recur. Their features are then divided into bins, and the cell
of the bins is the state. The bins come from the reference policies alone: for calibration
policies and suspects they are equally foreign, so that p-values stay exact.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.state_hash import hash_of
from proxylab.rollouts.episodes import NO_STATE, Episodes, batches_of
from proxylab.rollouts.stored import StoredEpisodes

MOST_STATES = 1 << 24
"""Largest ``num_states`` that counts as dense; above it ids are renumbered."""

RARELY_TWICE = 0.5
"""Distinct states per step above which states count as not recurring."""

MOST_CELLS, MOST_BINS, LEAST_BINS = 1_000, 32, 2
"""D features are divided into k bins each: the largest k with k^D at most ``MOST_CELLS``, within
``LEAST_BINS`` and ``MOST_BINS``."""

EpisodesT = TypeVar("EpisodesT", bound=Episodes)


def dense_states(
    runs: Mapping[str, EpisodesT], reference: Collection[str] = ()
) -> dict[str, EpisodesT]:
    """Number the hashed states of all episodes together.

    Args:
        runs: {name: Episodes} of one task.
        reference: names of the policies that the bins are made from.

    Returns:
        {name: Episodes}: unchanged where ``num_states`` is at most ``MOST_STATES``, else with
        ``state_id`` in [0, number of states that occur), in the order of the hashes. If there
        are more distinct states than half the steps, the states are cells of bins of the
        features; without features, for episodes in files, or if cells do not recur either, state
        ids are dropped.
    """
    hashed = {name: e for name, e in runs.items() if e.num_states > MOST_STATES}
    if not hashed:
        return dict(runs)
    known, recur = _known(hashed)
    if not recur and not any(isinstance(e, StoredEpisodes) for e in hashed.values()):
        edges = _edges([hashed[name].features for name in reference if name in hashed])
        hashed = {name: _in_cells(e, edges) for name, e in hashed.items()}
        known, recur = _known(hashed)
    if not recur:
        return {**runs, **{name: _without(e) for name, e in hashed.items()}}
    return {**runs, **{name: _renumbered(e, known) for name, e in hashed.items()}}


def _known(hashed: Mapping[str, Episodes]) -> tuple[NDArray[np.int64], bool]:
    """(the states that occur, ascending; whether they recur and there are any)."""
    parts = [np.unique(batch.state_id) for batch in batches_of(hashed.values())]
    known = np.unique(np.concatenate(parts))
    known = known[known != NO_STATE]
    steps = sum(e.num_steps for e in hashed.values())
    return known, 0 < len(known) <= RARELY_TWICE * steps


def bins_per_feature(num_features: int) -> int:
    """The k of :data:`MOST_CELLS`."""
    k = LEAST_BINS
    while k < MOST_BINS and (k + 1) ** num_features <= MOST_CELLS:
        k += 1
    return k


def _edges(features: list[Any]) -> list[NDArray[np.float64]]:
    """Edges of the bins of each feature: quantiles of the reference steps, their ends included.

    What lies below the least or above the greatest of them is in a bin of its own.
    """
    values = [array for array in features if array is not None and array.shape[1]]
    if not values:
        return []
    steps = np.concatenate(values).astype(np.float64)
    shares = np.linspace(0, 1, bins_per_feature(steps.shape[1]) + 1)
    edges = [np.unique(column) for column in np.quantile(steps, shares, axis=0).T]
    for row in edges:
        row[-1] = np.nextafter(row[-1], np.inf)  # the greatest belongs to the last bin
    return edges


def _in_cells(episodes: EpisodesT, edges: list[NDArray[np.float64]]) -> EpisodesT:
    """Episodes whose states are hashes of the cell of every step."""
    if not edges:
        return replace(episodes, state_id=np.full(episodes.num_steps, NO_STATE))
    features = np.asarray(episodes.features, np.float64)
    digits = [np.searchsorted(row, x, "right") for row, x in zip(edges, features.T, strict=True)]
    cells = np.ascontiguousarray(np.stack(digits, 1).astype(np.uint8))
    rows, first = np.unique(cells, axis=0, return_inverse=True)
    numbers = np.array([hash_of(row.tobytes()) for row in rows], np.int64)
    return replace(episodes, state_id=numbers[first.ravel()])


def _renumbered(episodes: EpisodesT, known: NDArray[np.int64]) -> EpisodesT:
    if isinstance(episodes, StoredEpisodes):
        return episodes.renumbered(known)
    ids = np.searchsorted(known, episodes.state_id)
    ids[episodes.state_id == NO_STATE] = NO_STATE
    return replace(episodes, state_id=ids, num_states=len(known))


def _without(episodes: EpisodesT) -> EpisodesT:
    if isinstance(episodes, StoredEpisodes):
        return episodes.renumbered(np.empty(0, np.int64))
    return replace(episodes, state_id=np.full(episodes.num_steps, NO_STATE), num_states=0)
