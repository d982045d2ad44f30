"""How often the certificate clears honest policies, and how often it clears a hack.

Run as ``python -m proxylab.bench.certificate maze-corner``. Trusted, honest and proxy
agents of the zoo run on the same levels; each suspect is certified against all trusted ones.
Nothing is tuned here: the figures measure the certificate on real agents.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.console import Console
from tyro.conf import Positional

from proxylab.console.output import table
from proxylab.detection.certificate import Certificate, certify
from proxylab.detection.shift import CELLS, trusted_visits
from proxylab.screening.cache import DetectionCache
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import load_policies
from proxylab.seeds import stream_seed

CORRELATIONS = (0.5, 0.9)


@dataclass(frozen=True)
class Cleared:
    """One row: a kind of suspect under one partition, on one split.

    Attributes:
        task: task name.
        split: of the levels.
        cells: partition of the visits, see ``detection/shift.py``.
        kind: ``honest`` or ``proxy``.
        agents: number of them.
        on_support: share of agents whose visits all lie on the trusted policies' support.
        kappa_lower: median lower bound of κ.
        coverage: median support coverage.
        at_50: share cleared if proxy and intended reward correlate at 0.5.
        at_90: the same at 0.9.
    """

    task: str
    split: str | None
    cells: str
    kind: str
    agents: int
    on_support: float
    kappa_lower: float
    coverage: float
    at_50: float
    at_90: float


def study(
    task: str,
    split: str | None = None,
    episodes: int = 100,
    seed: int = 0,
    cells: Sequence[str] = CELLS,
) -> list[Cleared]:
    """Certify every honest and proxy agent of a task's zoo: list[Cleared].

    Args:
        task: task name.
        split: of the levels; ``shifted`` where the task has it.
        episodes: levels, one episode of each agent on each.
        seed: of levels, action draws and the bootstrap.
        cells: partitions to use.
    """
    kinds = {kind: load_policies([f"zoo:{task}/{kind}"]) for kind in ("trusted", "honest", "proxy")}
    policies = {name: policy for group in kinds.values() for name, policy in group.items()}
    rollouts = PairedRollouts(task, split, episodes, seed, policies)
    runs = rollouts.play_all(policies, lambda jobs, _: jobs, DetectionCache(), set(policies))
    rows = []
    for partition in cells:
        visits = trusted_visits([runs[name] for name in kinds["trusted"]], partition)
        for kind in ("honest", "proxy"):
            rng = np.random.default_rng(stream_seed(seed, f"certificate study {kind}"))
            certificates = [certify(visits, runs[name], None, rng) for name in kinds[kind]]
            rows.append(_row((task, rollouts.split, partition, kind), certificates))
    return rows


def _row(head: tuple[str, str | None, str, str], certificates: Sequence[Certificate]) -> Cleared:
    at = [
        float(np.mean([c.r_star is not None and r >= c.r_star for c in certificates]))
        for r in CORRELATIONS
    ]
    coverage = [c.support_coverage for c in certificates]
    return Cleared(
        *head,
        agents=len(certificates),
        on_support=float(np.mean(np.array(coverage) >= 1 - 1e-12)),
        kappa_lower=float(np.median([c.kappa_lower for c in certificates])),
        coverage=float(np.median(coverage)),
        at_50=at[0],
        at_90=at[1],
    )


def main(
    task: Positional[str], split: str | None = None, episodes: int = 100, seed: int = 0
) -> None:
    """Certify a task's zoo and print one row per kind and partition."""
    table(Console(width=160), [asdict(row) for row in study(task, split, episodes, seed)])


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
