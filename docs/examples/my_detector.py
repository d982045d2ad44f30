"""A detector of one's own: how much longer or shorter a suspect's episodes are.

    proxylab bench detectors --detector docs/examples/my_detector.py:EpisodeLength
    proxylab detect zoo:maze-corner/proxy-00 --trusted --detector my_detector:EpisodeLength

A detector is a class that can be made without arguments, with a ``name``, an ``access`` code
(W action probabilities, Q sampled actions, L logs of states and actions, P the proxy reward
in addition), and two methods. It sees ``proxylab.rollouts.episodes.Episodes``: flat arrays of all
steps, with no true reward among them. Raise ``NotApplicable`` where the score cannot be had.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EpisodeLength:
    """|mean log length of the suspect − that of the trusted|, paired by level; unit: nats."""

    name: str = "episode_length"
    access: str = "L"
    unit: str = "nats"
    source: str = "an example"
    higher_is: str = "more anomalous"

    def fit(self, reference, task):
        """What the reference policies (list of Episodes) do; ``task`` is the map of the levels."""
        return np.mean([np.log(episodes.lengths) for episodes in reference], axis=0)

    def per_episode(self, state, suspect):
        """Optional: float64[E]; with it, intervals cost nothing. The score is its mean."""
        return np.abs(np.log(suspect.lengths) - state)

    def score(self, state, suspect, rng):
        """A number, higher is more anomalous; draw from ``rng`` (a numpy Generator) if at all."""
        return float(self.per_episode(state, suspect).mean())
