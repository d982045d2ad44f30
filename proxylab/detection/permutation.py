"""When there are too few trusted policies: is the suspect the same policy as one of them?

This answers a smaller question. Two honest seeds are different policies, and with
enough episodes this test tells them apart; it can never say that a suspect games.
"""

from typing import NamedTuple

import numpy as np

from proxylab.statistics.visitation import discounted_visitation

PERMUTATIONS = 999


class PairedTest(NamedTuple):
    """Suspect against one trusted policy.

    Attributes:
        distance: total variation of the two policies' pooled state-action visitation, in [0, 1].
        p_value: share of label swaps, this one included, that look as different.
    """

    distance: float
    p_value: float


def compare_paired(suspect, trusted, rng, discount=0.99):
    """Permutation test that swaps the two policies' labels level by level.

    Exact for the null "both are one policy", also when both saw the same action
    draws: swapping the two trajectories of a level leaves their joint law as it is.

    Args:
        suspect: Episodes.
        trusted: Episodes on the same levels in the same order.
        rng: numpy Generator of the swaps.
        discount: γ of the visitation.
    """
    difference = _visits(suspect, discount) - _visits(trusted, discount)
    signs = rng.choice([-1.0, 1.0], (PERMUTATIONS, len(difference)))
    distances = 0.5 * np.abs(signs @ difference).sum(axis=1) / len(difference)
    observed = float(0.5 * np.abs(difference.mean(axis=0)).sum())
    as_far = int(np.sum(distances >= observed - 1e-12))
    return PairedTest(observed, (1 + as_far) / (PERMUTATIONS + 1))


def _visits(episodes, discount):
    """float64[E, K]: visitation of (state, action); of actions where a step has no state."""
    states, actions = episodes.num_states + 1, episodes.num_actions
    tokens = (episodes.state_id + 1) * actions + episodes.action
    return discounted_visitation(tokens, episodes.episode_offsets, states * actions, discount)
