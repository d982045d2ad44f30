"""A detector that looks at weights and activations only, and plays nothing.

Every agent becomes a vector: moments and the largest singular value of each weight tensor,
and moments of its hidden features and action probabilities on random inputs. The score is the
Mahalanobis distance from trusted agents (with a covariance shrunk towards its diagonal), and
a conformal p-value compares it with the distances of other trusted agents. Detectors in NIST's
TrojAI challenges use such statistics, with labelled trojans to learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from proxylab.agents.loading import LearnedPolicy
from proxylab.errors import UsageError

RANDOM_INPUTS = 512
SHRINKAGE = 0.2
"""Weight of the diagonal in the covariance."""
_INPUT_SEED = 20_240_917
_SMALL = 1e-8


def weight_features(policy: LearnedPolicy) -> NDArray[np.float64]:
    """float64[F]: statistics of an agent's weights and of its activations on random inputs."""
    tensors = policy.weights
    rows = [_moments(t) for name, t in sorted(tensors.items()) if not name.startswith("value_head")]
    hidden, probabilities = policy.activations(_random_inputs(policy.spec.observation_shape))
    rows += [_moments(hidden.mean(axis=0)), _moments(hidden.std(axis=0)), _moments(probabilities)]
    rows.append(probabilities.mean(axis=0).astype(np.float64))
    return np.concatenate(rows)


def _random_inputs(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """uint8[RANDOM_INPUTS, ...]: planes of random bits, the same for every agent."""
    rng = np.random.default_rng(_INPUT_SEED)
    return rng.integers(0, 2, (RANDOM_INPUTS, *shape), np.uint8)


def _moments(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[5]: mean, standard deviation, largest size, kurtosis, largest singular value."""
    flat = values.astype(np.float64).ravel()
    spread = flat.std() + _SMALL
    kurtosis = (((flat - flat.mean()) / spread) ** 4).mean()
    matrix = values.reshape(len(values), -1).astype(np.float64)
    largest = np.linalg.norm(matrix, 2)
    return np.array([flat.mean(), spread, np.abs(flat).max(), kurtosis, largest])


@dataclass(frozen=True)
class WeightReference:
    """The distribution of trusted agents' features.

    Attributes:
        centre: float64[F].
        scale: float64[F], standard deviations.
        precision: float64[F, F], inverse of the shrunk correlation matrix.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> "WeightReference":
        """Of trusted agents: ``features`` float64[N, F], N at least 3."""
        if len(features) < 3:
            raise UsageError("a distribution of weights needs three trusted agents")
        centre, scale = features.mean(axis=0), features.std(axis=0) + _SMALL
        scaled = (features - centre) / scale
        shrunk = (1 - SHRINKAGE) * scaled.T @ scaled / len(scaled)
        shrunk += SHRINKAGE * np.eye(len(centre))
        return cls(centre, scale, np.linalg.inv(shrunk))

    def distance(self, features: NDArray[np.float64]) -> float:
        """Mahalanobis distance of one agent (float64[F])."""
        scaled = (features - self.centre) / self.scale
        return float(np.sqrt(scaled @ self.precision @ scaled))


@dataclass(frozen=True)
class TrojanProbability:
    """A logistic curve from a score to the probability of a trojan.

    Attributes:
        slope: per standard deviation of the development scores.
        intercept: at their mean.
        mean: of the development scores.
        spread: their standard deviation.
    """

    slope: float
    intercept: float
    mean: float
    spread: float

    @classmethod
    def fit(cls, trojans: Sequence[float], honest: Sequence[float]) -> "TrojanProbability":
        """Fit to labelled development agents, with a unit Gaussian prior on the slope."""
        scores = np.array([*trojans, *honest], np.float64)
        labels = np.array([1.0] * len(trojans) + [0.0] * len(honest))
        mean, spread = float(scores.mean()), float(scores.std()) + _SMALL

        def loss(curve: NDArray[np.float64]) -> float:
            logits = curve[0] * (scores - mean) / spread + curve[1]
            return float(np.logaddexp(0, np.where(labels > 0, -logits, logits)).sum()) + (
                curve[0] ** 2 / 2
            )

        slope, intercept = minimize(loss, np.zeros(2)).x
        return cls(float(slope), float(intercept), mean, spread)

    def of(self, score: float) -> float:
        """The probability for one score."""
        return float(expit(self.slope * (score - self.mean) / self.spread + self.intercept))


def cross_entropy(trojans: Sequence[float], honest: Sequence[float]) -> float:
    """Mean −log of the probability given to the truth, nats; NIST's measure.

    Args:
        trojans: probabilities of a trojan that were given to trojans.
        honest: probabilities that were given to honest agents.
    """
    given = np.concatenate([np.asarray(trojans), 1 - np.asarray(honest)])
    return float(-np.log(np.clip(given, 1e-12, 1)).mean())
