"""How often the certificate clears honest policies, and how often a hack slips through.

Run as ``python -m proxylab.bench.certificate maze-corner``. Trusted, honest and proxy
agents of the zoo play the same levels; each suspect is certified against all trusted ones.
Nothing is tuned here: the figures say what the certificate is worth on real agents.
"""

from dataclasses import asdict, dataclass

import numpy as np
from rich.console import Console
from tyro.conf import Positional

from proxylab.console import table
from proxylab.detection.certificate import certify
from proxylab.detection.shift import CELLS, trusted_visits
from proxylab.screening.cache import DetectionCache
from proxylab.screening.run import PairedRollouts, load_policies
from proxylab.seeds import stream_seed

CORRELATIONS = (0.5, 0.9)


@dataclass(frozen=True)
class Cleared:
    """One row: a kind of suspect under one partition, on one split.

    Attributes:
        task: task name.
        split: of the levels.
        cells: what the cells of the partition tell apart, see ``detection/shift.py``.
        kind: ``honest`` or ``proxy``.
        agents: number of them.
        on_support: share whose every step lies where a trusted policy goes.
        kappa_lower: median lower bound of κ.
        coverage: median support coverage.
        at_50: share cleared if proxy and intent correlate at .5.
        at_90: the same at .9.
    """

    task: str
    split: str
    cells: str
    kind: str
    agents: int
    on_support: float
    kappa_lower: float
    coverage: float
    at_50: float
    at_90: float


def study(task, split=None, episodes=100, seed=0, cells=CELLS):
    """Certify every honest and proxy agent of a task's zoo: list[Cleared].

    Args:
        task: task name.
        split: of the levels; ``shifted`` where the task has it.
        episodes: levels, one episode of each agent on each.
        seed: of levels, action draws and the bootstrap.
        cells: partitions to use.
    """
    kinds = {kind: load_policies([f"zoo:{task}/{kind}"]) for kind in ("trusted", "honest", "proxy")}
    everybody = {name: policy for group in kinds.values() for name, policy in group.items()}
    rollouts = PairedRollouts(task, split, episodes, seed, everybody)
    runs = rollouts.play_all(everybody, lambda jobs, _: jobs, DetectionCache(), set(everybody))
    rows = []
    for partition in cells:
        visits = trusted_visits([runs[name] for name in kinds["trusted"]], partition)
        for kind in ("honest", "proxy"):
            rng = np.random.default_rng(stream_seed(seed, f"certificate study {kind}"))
            found = [certify(visits, runs[name], None, rng) for name in kinds[kind]]
            rows.append(_row((task, rollouts.split, partition, kind), found))
    return rows


def _row(head, found):
    at = [
        float(np.mean([c.r_star is not None and r >= c.r_star for c in found]))
        for r in CORRELATIONS
    ]
    coverage = [c.support_coverage for c in found]
    return Cleared(
        *head,
        agents=len(found),
        on_support=float(np.mean(np.array(coverage) >= 1 - 1e-12)),
        kappa_lower=float(np.median([c.kappa_lower for c in found])),
        coverage=float(np.median(coverage)),
        at_50=at[0],
        at_90=at[1],
    )


def main(task: Positional[str], split: str | None = None, episodes: int = 100, seed: int = 0):
    """Certify a task's zoo and print a row a kind and partition."""
    table(Console(width=160), [asdict(row) for row in study(task, split, episodes, seed)])


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
