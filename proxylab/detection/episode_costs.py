"""What each episode of a policy adds to a detector's score, for an attacker who knows it all.

A detector whose score is a mean over episodes says so itself. For the others it is a surrogate:
the values that a reduced score combines, the mean over an episode's steps, or, for the ensemble,
the weighted sum of its members' costs, each in the units in which the members are weighed
(without their saturation). Costs rank episodes and guide a training; no verdict is made of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.score import Score, has_episodes, has_steps, has_values
from proxylab.detection.scores.ensemble import EnsembleReference, spread
from proxylab.rollouts.episodes import Episodes


def episode_costs(detector: Score, state: Any, suspect: Episodes) -> NDArray[np.float64]:
    """float64[E], what every episode adds to the score; higher is more anomalous.

    Args:
        detector: a detector.
        state: what its ``fit`` returned, for levels that include the suspect's.
        suspect: episodes of one policy.

    Raises:
        NotApplicable: the detector has no value for a step, an episode or a part of the ensemble.
    """
    if isinstance(state, EnsembleReference):
        return _ensemble_costs(state, suspect)
    if has_values(detector):
        return detector.values(state, suspect)
    if has_episodes(detector):
        return np.nan_to_num(detector.per_episode(state, suspect))
    if has_steps(detector):
        steps = np.nan_to_num(detector.per_step(state, suspect))
        return np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths
    raise NotApplicable(f"{detector.name} has no value for a single episode")


def _ensemble_costs(state: EnsembleReference, suspect: Episodes) -> NDArray[np.float64]:
    costs = np.zeros(suspect.num_episodes)
    for member in state.members:
        own = episode_costs(member.detector, member.state, suspect)
        costs += member.weight * own / spread(member.honest)
    return costs
