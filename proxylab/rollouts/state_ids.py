"""Dense state ids for environments whose state ids are hashes of observations.

A hash is below ``environments.state_hash.HASHED_STATES`` and equal for equal observations in
every process. Detectors count visits in tables with one row per state, so before detection
the hashes that occur are numbered 0, 1, 2, …, with the same numbers for all policies.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import NO_STATE, Episodes, batches_of
from proxylab.rollouts.stored import StoredEpisodes

MOST_STATES = 1 << 24
"""Largest ``num_states`` that counts as dense; above it ids are renumbered."""

RARELY_TWICE = 0.5
"""Distinct states per step above which state ids are dropped: few states recur."""

EpisodesT = TypeVar("EpisodesT", bound=Episodes)


def dense_states(runs: Mapping[str, EpisodesT]) -> dict[str, EpisodesT]:
    """Number the hashed states of all episodes together.

    Args:
        runs: {name: Episodes} of one task.

    Returns:
        {name: Episodes}: unchanged where ``num_states`` is at most ``MOST_STATES``, else with
        ``state_id`` in [0, number of states that occur), in the order of the hashes. State ids
        are dropped if there are more distinct states than half the steps.
    """
    hashed = {name: e for name, e in runs.items() if e.num_states > MOST_STATES}
    if not hashed:
        return dict(runs)
    parts = [np.unique(batch.state_id) for batch in batches_of(hashed.values())]
    known = np.unique(np.concatenate(parts))
    known = known[known != NO_STATE]
    steps = sum(e.num_steps for e in hashed.values())
    if len(known) > RARELY_TWICE * steps:
        return {**runs, **{name: _without(e) for name, e in hashed.items()}}
    return {**runs, **{name: _renumbered(e, known) for name, e in hashed.items()}}


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
