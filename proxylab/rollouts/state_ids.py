"""States of environments that do not number them: hashes of observations, made dense.

A hash is below ``environments.state_hash.HASHED_STATES``, equal for equal observations in every
process. Detectors count visits in tables with a row a state, so before episodes are
judged the hashes that occur are numbered 0, 1, 2, … for everybody alike.
"""

from dataclasses import replace

import numpy as np

from proxylab.rollouts.episodes import NO_STATE

MOST_STATES = 1 << 24
"""Largest ``num_states`` that is taken for a numbering; above it ids are renumbered."""

RARELY_TWICE = 0.5
"""Distinct states over steps above which states say nothing: hardly any comes twice."""


def dense_states(runs):
    """Number the hashed states of all episodes together.

    Args:
        runs: {name: Episodes} of one task.

    Returns:
        {name: Episodes}: as given where states are few, else with ``state_id`` in
        [0, number of states that occur), ascending with the hash; without states where more
        than half of all steps are in a state of their own.
    """
    hashed = {name: e for name, e in runs.items() if e.num_states > MOST_STATES}
    if not hashed:
        return runs
    known = np.unique(np.concatenate([np.unique(e.state_id) for e in hashed.values()]))
    known = known[known != NO_STATE]
    steps = sum(e.num_steps for e in hashed.values())
    if len(known) > RARELY_TWICE * steps:
        return runs | {name: _without(e) for name, e in hashed.items()}
    return runs | {name: _renumbered(e, known) for name, e in hashed.items()}


def _renumbered(episodes, known):
    ids = np.searchsorted(known, episodes.state_id)
    ids[episodes.state_id == NO_STATE] = NO_STATE
    return replace(episodes, state_id=ids, num_states=len(known))


def _without(episodes):
    return replace(episodes, state_id=np.full(episodes.num_steps, NO_STATE), num_states=0)
