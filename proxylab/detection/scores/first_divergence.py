"""First divergence of paired trajectories."""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.sequences import NEVER, first_divergence


class DivergenceReference(NamedTuple):
    """Paired reference policies.

    Attributes:
        reference: list of Episodes, episode e of all on the same level.
        horizon: float64[E], mean episode length of the reference policies, steps.
        together: float64[E], mean share of the horizon before two of them diverge.
    """

    reference: list[Episodes]
    horizon: NDArray[np.float64]
    together: NDArray[np.float64]


@dataclass(frozen=True)
class FirstDivergence:
    """How much earlier the suspect diverges from trusted policies than they from each other.

    Access L (logs with the same level seeds, preferably with the same action draws). Unit: share
    of a trusted episode's length, in [−1, 1]. Formula, with τ_e(a, b) the first step
    at which the trajectories of a and b on the same level differ (∞ if they never
    do), H_e the mean length of a reference episode there, u = min(τ, H)/H:

        score = mean over e of [ mean_{trusted pairs} u_e − mean_{trusted} u_e(suspect, ·) ]

    This is the area between the two survival curves of the step of divergence, with
    time in units of each level's horizon.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "first_divergence"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "share of a trusted episode"
    source: ClassVar[str] = "survival curves of the step of divergence; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> DivergenceReference:
        """Compare the reference policies (list[Episodes], at least two) pair by pair.

        ``task`` is not used.
        """
        if len(reference) < 2:
            raise NotApplicable(f"{self.name} needs at least two reference policies")
        horizon = np.mean([episodes.lengths for episodes in reference], axis=0)
        shares = [_share(divergence_steps(a, b), horizon) for a, b in combinations(reference, 2)]
        return DivergenceReference(list(reference), horizon, np.mean(shares, axis=0))

    def per_episode(self, state: DivergenceReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], share of the horizon by which the suspect diverges earlier."""
        shares = [
            _share(divergence_steps(other, suspect), state.horizon) for other in state.reference
        ]
        return state.together - np.mean(shares, axis=0)

    def score(
        self, state: DivergenceReference, suspect: Episodes, rng: np.random.Generator
    ) -> float:
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


def divergence_steps(a: Episodes, b: Episodes) -> NDArray[np.int64]:
    """Step at which paired episodes diverge: int64[E], ``NEVER`` where they do not.

    Compares states where the task has an index, actions otherwise.

    Raises:
        NotApplicable: the episodes are not on the same levels in the same order.
    """
    if not np.array_equal(a.level_seed, b.level_seed):
        raise NotApplicable(f"{a.policy} and {b.policy} were not run on the same levels")
    tokens = [e.state_id if e.num_states else e.action for e in (a, b)]
    return first_divergence(tokens[0], a.episode_offsets, tokens[1], b.episode_offsets)


def divergence_from_all(reference: list[Episodes], suspect: Episodes) -> NDArray[np.int64]:
    """Step at which the suspect has diverged from *every* reference policy: int64[E].

    ``NEVER`` where it equals one of them to the end.
    """
    steps = np.array([divergence_steps(other, suspect) for other in reference])
    return np.where((steps == NEVER).any(axis=0), NEVER, steps.max(axis=0))


def _share(steps: NDArray[np.int64], horizon: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(steps == NEVER, 1.0, np.minimum(steps, horizon) / horizon)
