"""A test for few trusted policies: is the suspect the same policy as one of them?

Two honest seeds are different policies, and with enough episodes this test separates
them; it is no evidence that a suspect games its reward.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.visitation import discounted_visitation

PERMUTATIONS = 999

MOST_CELLS = 1 << 23
"""Episodes × (state, action) pairs up to which the table has a column for every pair."""


class PairedTest(NamedTuple):
    """Suspect against one trusted policy.

    Attributes:
        distance: total variation of the two policies' pooled state-action visitation, in [0, 1].
        p_value: share of label swaps, the identity included, with at least this distance.
    """

    distance: float
    p_value: float


def compare_paired(
    suspect: Episodes, trusted: Episodes, rng: np.random.Generator, discount: float = 0.99
) -> PairedTest:
    """Permutation test that swaps the two policies' labels level by level.

    Exact for the null "both are one policy", also with common action
    draws: swapping the two trajectories of a level does not change their joint distribution.

    Args:
        suspect: Episodes.
        trusted: Episodes on the same levels in the same order.
        rng: numpy Generator of the swaps.
        discount: γ of the visitation.
    """
    suspect_visits, trusted_visits = _visits([suspect, trusted], discount)
    difference = suspect_visits - trusted_visits
    signs = rng.choice([-1.0, 1.0], (PERMUTATIONS, len(difference)))
    distances = 0.5 * np.abs(signs @ difference).sum(axis=1) / len(difference)
    observed = float(0.5 * np.abs(difference.mean(axis=0)).sum())
    as_far = int(np.sum(distances >= observed - 1e-12))
    return PairedTest(observed, (1 + as_far) / (PERMUTATIONS + 1))


def _visits(policies: list[Episodes], discount: float) -> list[NDArray[np.float64]]:
    """[float64[E, K]] of Episodes: visitation of (state, action); of actions without states.

    Above ``MOST_CELLS`` only the pairs that occur have a column.
    """
    first = policies[0]
    count = (first.num_states + 1) * first.num_actions
    tokens = [(e.state_id + 1) * e.num_actions + e.action for e in policies]
    if count * first.num_episodes > MOST_CELLS:
        known = np.unique(np.concatenate(tokens))
        tokens, count = [np.searchsorted(known, t) for t in tokens], len(known)
    return [
        discounted_visitation(t, e.episode_offsets, count, discount)
        for t, e in zip(tokens, policies, strict=True)
    ]
