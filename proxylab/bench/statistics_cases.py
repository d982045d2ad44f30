"""The cases of ``bench statistics``: our calls, the peers' calls and the targets.

Published figures were measured on other machines: hyppo's permutation test with 1,000
permutations, and jaxgmg's solver. Neither is a dependency.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.bench import statistics_peers as peers
from proxylab.statistics.divergences import js_divergence, row_divergences
from proxylab.statistics.paths import path_features
from proxylab.statistics.resampling import bootstrap, bootstrap_auroc, bootstrap_columns
from proxylab.statistics.returns import discounted_returns
from proxylab.statistics.sequences import first_divergence
from proxylab.statistics.two_sample import PermutationTest, block_means, permute_blocks
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation
from proxylab_envs.levels import Levels
from proxylab_envs.registry import make_batched

DISCOUNT = 0.99
NUM_STATES, NUM_ACTIONS, NUM_LEVELS = 81, 4, 100
REPLICATES = 2000
HYPPO = {1000: 26.0, 2000: 99.0, 5000: 754.0}
"""Seconds of hyppo's published runs, by number of points; 1,000 permutations."""

MAZE_SIZE, MAZES = 13, 500


@dataclass(frozen=True)
class KernelCase:
    """One measurement.

    Attributes:
        what: what is measured.
        unit: of the figure.
        mine: our call.
        count: items that one call processes; 0 for a figure in seconds.
        peer: the alternative.
        theirs: its call, or None.
        published: its published figure where there is no call.
        least_ratio: target ratio to the peer, or None.
        least_value: target in ``unit``, instead of a ratio, or None.
        compiles: whether the first call compiles code that no earlier case has compiled.
    """

    what: str
    unit: str
    mine: Callable[[], Any]
    count: int = 0
    peer: str = ""
    theirs: Callable[[], Any] | None = None
    published: float | None = None
    least_ratio: float | None = None
    least_value: float | None = None
    compiles: bool = True


def cases() -> list[KernelCase]:
    """All cases, on the same numbers in every run."""
    rng = np.random.default_rng(0)
    walks = Walks(rng)
    return [
        *_sequence_cases(rng, walks),
        *_divergence_cases(rng),
        *_two_sample_cases(rng),
        *_bootstrap_cases(rng),
        *_path_cases(walks),
        _maze_case(),
    ]


class Walks:
    """2,000 ragged episodes of random states and actions, and a partly altered copy."""

    def __init__(self, rng: np.random.Generator, episodes: int = 2_000, longest: int = 100) -> None:
        lengths = rng.integers(1, longest, episodes)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.steps = int(self.offsets[-1])
        self.states = rng.integers(0, NUM_STATES, self.steps)
        self.actions = rng.integers(0, NUM_ACTIONS, self.steps)
        self.level = np.arange(episodes) % NUM_LEVELS
        self.others = np.where(rng.random(self.steps) < 0.02, 0, self.states)
        self.rewards = rng.random(self.steps)


def _sequence_cases(rng: np.random.Generator, walks: Walks) -> list[KernelCase]:
    parts = np.split(walks.rewards, walks.offsets[1:-1])
    cells, count = walks.states * NUM_ACTIONS + walks.actions, NUM_STATES * NUM_ACTIONS
    return [
        KernelCase(
            "discounted returns of ragged episodes",
            "steps/s",
            lambda: discounted_returns(walks.rewards, walks.offsets, DISCOUNT),
            walks.steps,
            peer="scipy lfilter, episode by episode",
            theirs=lambda: peers.lfilter_returns(parts, DISCOUNT),
            least_ratio=5,
        ),
        KernelCase(
            "discounted visitation of states, each episode",
            "steps/s",
            lambda: discounted_visitation(walks.states, walks.offsets, NUM_STATES, DISCOUNT),
            walks.steps,
            peer="numpy bincount with weights",
            theirs=lambda: peers.bincount_visitation(
                walks.states, walks.offsets, NUM_STATES, DISCOUNT
            ),
            least_ratio=3,
        ),
        KernelCase(
            "discounted visitation of state-actions, pooled by level",
            "steps/s",
            lambda: pooled_visitation(
                cells, walks.offsets, walks.level, NUM_LEVELS, count, DISCOUNT
            ),
            walks.steps,
            peer="numpy bincount with weights",
            theirs=lambda: peers.bincount_pooled(
                cells, walks.offsets, walks.level, NUM_LEVELS, count, DISCOUNT
            ),
            least_ratio=3,
            compiles=False,
        ),
    ]


def _divergence_cases(rng: np.random.Generator) -> list[KernelCase]:
    p, q = rng.dirichlet(np.ones(4), (2, 20_000))
    return [
        KernelCase(
            "Jensen-Shannon of categorical rows",
            "rows/s",
            lambda: js_divergence(p, q),
            len(p),
            peer="scipy jensenshannon, axis=1",
            theirs=lambda: peers.scipy_js(p, q),
            least_ratio=5,
        ),
        KernelCase(
            "JS, Hellinger, TV, KL, chi² of categorical rows, in one pass",
            "rows/s",
            lambda: row_divergences(p, q),
            len(p),
            peer="numpy, all five",
            theirs=lambda: peers.numpy_divergences(p, q),
            least_ratio=2,  # not 5: numpy takes several logarithms at once, a kernel one
        ),
    ]


def _two_sample_cases(rng: np.random.Generator) -> list[KernelCase]:
    points, offsets = rng.normal(size=(200 * 25, 8)), np.arange(0, 5001, 25)
    kernel_cases = [
        KernelCase(
            f"{kernel} blocks of 200 episodes of 25 states, 8 features",
            "s",
            lambda kernel=kernel: block_means(points, offsets, kernel=kernel, bandwidth=3.0),
            peer="scipy cdist, numpy exp and add.reduceat",
            theirs=lambda kernel=kernel: peers.cdist_blocks(points, offsets, kernel, 3.0),
            compiles=kernel == "gaussian",
        )
        for kernel in ("gaussian", "distance")
    ]
    for num_points, seconds in HYPPO.items():
        single = rng.normal(size=(num_points, 2))
        kernel_cases.append(
            KernelCase(
                f"MMD of {num_points:,} episodes of one state: blocks and 1,000 permutations",
                "s",
                lambda single=single: _permuted_mmd(single),
                peer="hyppo, published, another machine",
                published=seconds,
                least_ratio=50,
                compiles=num_points == min(HYPPO),
            )
        )
    return [*kernel_cases, _permutation_case(rng, 1000, 500), _permutation_case(rng, 2200, 200)]


def _permuted_mmd(points: NDArray[np.float64]) -> PermutationTest:
    blocks = block_means(points, np.arange(len(points) + 1))
    chosen = np.arange(len(points)) < len(points) // 2
    return permute_blocks(blocks, chosen, np.random.default_rng(1))


def _permutation_case(rng: np.random.Generator, episodes: int, chosen: int) -> KernelCase:
    points = rng.normal(size=(episodes, 2))
    blocks = peers.cdist_blocks(points, np.arange(episodes + 1), "gaussian", 1.0)
    labels = np.arange(episodes) < chosen
    return KernelCase(
        f"1,000 permutations alone, {chosen} of {episodes:,} episodes chosen",
        "s",
        lambda: permute_blocks(blocks, labels, np.random.default_rng(1)),
        peer="numpy: sign matrix, two matrix products",
        theirs=lambda: peers.sign_matrix(blocks, labels, np.random.default_rng(1)),
        compiles=False,
    )


def _bootstrap_cases(rng: np.random.Generator) -> list[KernelCase]:
    values, columns = rng.random(500), rng.random((4, 200)) + 0.5
    above, below = rng.normal(1, 1, 40), rng.normal(0, 1, 40)
    calls = {
        "mean of 500 values": (
            lambda: bootstrap(values, np.random.default_rng(1)),
            lambda: peers.scipy_bootstrap((values,), np.mean),
        ),
        "IQM of 500 values": (
            lambda: bootstrap(values, np.random.default_rng(1), "iqm"),
            lambda: peers.scipy_bootstrap((values,), peers.middle_mean),
        ),
        "AUROC, 40 positives and 40 negatives": (
            lambda: bootstrap_auroc(above, below, np.random.default_rng(1)),
            lambda: peers.scipy_bootstrap((above, below), peers.area),
        ),
        "kappa, four columns of 200 levels": (
            lambda: peers.kappa(*bootstrap_columns(columns, np.random.default_rng(1)).T[:, None]),
            lambda: peers.scipy_bootstrap(tuple(columns), peers.kappa, paired=True),
        ),
    }
    return [
        KernelCase(
            f"bootstrap of {name}",
            "resamples/s",
            mine,
            REPLICATES,
            peer="scipy bootstrap, percentile, vectorised",
            theirs=theirs,
            least_ratio=10,
        )
        for name, (mine, theirs) in calls.items()
    ]


def _path_cases(walks: Walks) -> list[KernelCase]:
    lists = [walks.states.tolist(), walks.actions.tolist(), walks.offsets.tolist()]
    others = walks.others.tolist()
    return [
        KernelCase(
            "path features: length, revisits, loops, turn entropy",
            "steps/s",
            lambda: path_features(
                walks.states, walks.actions, walks.offsets, NUM_STATES, NUM_ACTIONS
            ),
            walks.steps,
            peer="plain Python",
            theirs=lambda: peers.python_paths(*lists, NUM_ACTIONS),
            least_ratio=50,
        ),
        KernelCase(
            "first divergence of 2,000 paired episodes",
            "pairs/s",
            lambda: first_divergence(walks.states, walks.offsets, walks.others, walks.offsets),
            len(walks.offsets) - 1,
            peer="plain Python",
            theirs=lambda: peers.python_divergence(lists[0], others, lists[2]),
            least_ratio=50,
        ),
    ]


def _maze_case() -> KernelCase:
    env = make_batched("proxylab/MazeCorner-v0", 1, size=MAZE_SIZE)
    seeds = env.sample_level_seeds(Levels("train"), MAZES, 0)
    return KernelCase(
        f"mazes of {MAZE_SIZE} × {MAZE_SIZE} drawn, and steps to both goals from every cell",
        "mazes/s",
        lambda: env.optimal_returns(seeds),
        MAZES,
        peer="jaxgmg's README, another machine",
        published=1350.0,
        least_value=200_000,
    )
