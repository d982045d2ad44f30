"""Controls, expected to fail: a suspect's certainty, and its proxy return."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes

MEASURES = ("max", "margin", "entropy")


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of the suspect about its actions; the trusted policies are not used.

    Access W (action probabilities of the suspect). Formula, with p the probabilities at a
    step, in descending order:

        max      1 − p₁          (unit: probability)
        margin   1 − (p₁ − p₂)   (unit: probability)
        entropy  −Σ p log₂ p     (unit: bits)

    and the score the mean over episodes of the mean over steps. A control: a misgeneralised
    policy is as certain as a correct one, so these should miss it.

    Source: maximum softmax probability, Hendrycks and Gimpel 2017, arXiv 1610.02136;
    policy entropy, Sedlmeier et al. 2020, arXiv 2005.12069.

    Attributes:
        name: in tables and on the command line.
        measure: ``max``, ``margin`` or ``entropy``.
    """

    name: str
    measure: str
    access: ClassVar[str] = "W"
    source: ClassVar[str] = "arXiv 1610.02136 and 2005.12069; a control"
    higher_is: ClassVar[str] = "more anomalous"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return "bits" if self.measure == "entropy" else "probability"

    def fit(self, reference: list[Episodes], task: TaskView) -> None:
        """Nothing to fit."""
        return None

    def per_step(self, state: None, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], uncertainty at every step."""
        if suspect.probabilities is None:
            raise NotApplicable(f"{self.name} needs action probabilities of {suspect.policy}")
        probabilities = -np.sort(-suspect.probabilities.astype(np.float64), axis=1)
        if self.measure == "max":
            return 1 - probabilities[:, 0]
        if self.measure == "margin":
            return 1 - (probabilities[:, 0] - probabilities[:, 1])
        return -(probabilities * np.log2(np.where(probabilities > 0, probabilities, 1))).sum(axis=1)

    def per_episode(self, state: None, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], mean over the steps of each episode."""
        steps = self.per_step(state, suspect)
        return np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths

    def score(self, state: None, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


@dataclass(frozen=True)
class ProxyStream:
    """Distance of the suspect's proxy returns from the trusted ones; behaviour is not used.

    Access P. Unit: probability, in [0, 1]. Formula, with F and G the empirical distributions
    of the undiscounted proxy return of an episode, of the suspect and of all reference
    policies:

        score = sup over x of |F(x) − G(x)|

    A negative control: where suspect and trusted earn the same proxy reward it must be
    uninformative; where gaming earns more proxy reward, it detects that.

    Source: Kolmogorov 1933, Smirnov 1939 (two samples).

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "proxy_stream"
    access: ClassVar[str] = "P"
    unit: ClassVar[str] = "probability"
    source: ClassVar[str] = "Kolmogorov-Smirnov distance of proxy returns; a negative control"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> NDArray[np.float64]:
        """float64[N], proxy returns of all reference episodes, ascending; ``task`` is not used."""
        return np.sort(np.concatenate([self._returns(episodes) for episodes in reference]))

    def score(
        self, state: NDArray[np.float64], suspect: Episodes, rng: np.random.Generator
    ) -> float:
        """Largest gap between the two distributions; ``rng`` is not used."""
        returns = np.sort(self._returns(suspect))
        at = np.concatenate([returns, state])
        gaps = [np.searchsorted(side, at, side="right") / len(side) for side in (returns, state)]
        return float(np.abs(gaps[0] - gaps[1]).max())

    def _returns(self, episodes: Episodes) -> NDArray[np.float64]:
        if episodes.proxy_reward is None:
            raise NotApplicable(f"{self.name} needs proxy rewards; {episodes.policy} has none")
        rewards = episodes.proxy_reward.astype(np.float64)
        return np.round(np.add.reduceat(rewards, episodes.episode_offsets[:-1]), 6)
