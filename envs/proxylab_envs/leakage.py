"""Leakage report: the number of layouts, and the number that the splits share.

A small generator repeats layouts, so levels held out by seed may occur in training. The
report compares layouts by their hash, not by their seed.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels


@dataclass(frozen=True)
class LeakageReport:
    """Result of ``leakage_report``.

    Attributes:
        env_id: Gymnasium id.
        sampled: levels drawn from each split.
        distinct: layouts among them, by split.
        shared: layouts that two splits have in common, by pair of splits.
        layouts: number of layouts that the generator can make, ``None`` if not known exactly.
        estimate: lower bound of that number, estimated from repeats in the sample (Chao 1984,
            "Nonparametric estimation of the number of classes in a population", Scand. J.
            Statistics 11): distinct + once·(once - 1) / (2·(twice + 1)), where ``once`` and
            ``twice`` count layouts seen that often. Reliable only if layouts repeat.
        commonest: largest share of one layout in a split's sample, by split.
    """

    env_id: str
    sampled: int
    distinct: dict[str, int]
    shared: dict[tuple[str, str], int]
    layouts: int | None
    estimate: float
    commonest: dict[str, float]

    def __str__(self) -> str:
        guess = f"unknown, estimated at no less than {self.estimate:.2g}"
        known = f"{self.layouts:,}" if self.layouts else guess
        lines = [f"{self.env_id}: layouts the generator can make: {known}"]
        lines += [
            f"  {split}: {count:,} distinct layouts in {self.sampled:,} levels, "
            f"the commonest in {self.commonest[split]:.2%}"
            for split, count in self.distinct.items()
        ]
        lines += [f"  shared by {a} and {b}: {n:,}" for (a, b), n in self.shared.items()]
        return "\n".join(lines)


def leakage_report(env: BatchedEnv[Any], *, samples: int = 10_000, seed: int = 0) -> LeakageReport:
    """Draw levels from every split and compare their layouts.

    Args:
        env: a :class:`~proxylab_envs.batch.BatchedEnv`.
        samples: levels to draw from each split.
        seed: of the draw.

    Returns:
        A :class:`LeakageReport`; its ``str`` is the report as text.
    """
    hashes = {
        split: env.layout_hashes(env.sample_level_seeds(Levels(split), samples, seed))
        for split in env.splits
    }
    counts = {split: np.unique(values, return_counts=True) for split, values in hashes.items()}
    layouts = {split: set(values.tolist()) for split, (values, _) in counts.items()}
    return LeakageReport(
        env_id=env.env_id,
        sampled=samples,
        distinct={split: len(found) for split, found in layouts.items()},
        shared={(a, b): len(layouts[a] & layouts[b]) for a, b in combinations(layouts, 2)},
        layouts=env.num_layouts(),
        estimate=chao_estimate(np.concatenate(list(hashes.values()))),
        commonest={split: float(n.max() / samples) for split, (_, n) in counts.items()},
    )


def chao_estimate(draws: NDArray[Any]) -> float:
    """Estimated lower bound of the number of classes behind ``draws`` (any[K]): float."""
    _, counts = np.unique(draws, return_counts=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return len(counts) + once * (once - 1) / (2 * (twice + 1))
