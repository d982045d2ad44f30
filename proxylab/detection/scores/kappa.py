"""The certificate as a score."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.shift import UNCHANGED, TrustedVisits, shift_from, trusted_visits
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes


@dataclass(frozen=True)
class KappaScore:
    """Share of the change of behaviour that does not follow the proxy, level by level.

    Access P (logs with the proxy reward). Unit: 1 − cosine, in [0, 2]. Formula, with
    κ_l = p_l/√χ²_l the cosine between the shift of behaviour and the proxy on level l (see
    ``certificate.py``; 0 where the suspect leaves the trusted support):

        score = mean over levels of (1 − κ_l), with 0 for a level on which nothing changed

    The certificate uses κ over all levels at once, and a single cell outside the trusted
    support makes it 0, for honest policies too. A hack that follows the proxy efficiently has κ
    near 1 and scores *low*: the certificate excludes it by the assumed correlation alone.

    Source: Cauchy–Schwarz bound of the true gain, ``proxylab/detection/certificate.py``.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "kappa"
    access: ClassVar[str] = "P"
    unit: ClassVar[str] = "1 - cosine"
    source: ClassVar[str] = "the certificate, level by level; this project"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> TrustedVisits:
        """Occupancy of the reference policies (list[Episodes]); ``task`` is not used."""
        return trusted_visits(reference)

    def per_level(self, state: TrustedVisits, suspect: Episodes) -> NDArray[np.float64]:
        """float64[L], on the suspect's levels, ascending."""
        shift = shift_from(state, suspect)
        variance = np.maximum(shift.second - shift.first**2, 0)
        scale = np.sqrt(variance * np.where(np.isfinite(shift.chi2), shift.chi2, 0))
        kappa = np.divide(shift.gain, scale, out=np.zeros_like(scale), where=scale > 1e-15)
        return np.where(shift.chi2 <= UNCHANGED, 0, 1 - np.clip(kappa, -1, 1))

    def score(self, state: TrustedVisits, suspect: Episodes, rng: np.random.Generator) -> float:
        """Mean over levels; ``rng`` is not used."""
        return float(self.per_level(state, suspect).mean())
