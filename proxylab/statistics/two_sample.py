"""Two-sample tests whose unit is the episode: kernels summed over pairs of states once.

With k a kernel of two states and |e| the number of states of episode e, the *block*
of two episodes is B_ef = Σ_{x in e} Σ_{y in f} k(x, y) / (|e| |f|). Whatever the
labels of the episodes, the statistic is a sum of blocks:

    T = 1/m² Σ_{e,e' in X} B + 1/n² Σ_{f,f' in Y} B − 2/(mn) Σ_{e in X, f in Y} B

so a permutation of the labels evaluates no kernel. States of one episode depend on
each other, so whole episodes are permuted.

- ``gaussian``  k = exp(−‖x − y‖²/(2σ²)): T is the squared maximum mean discrepancy with
  its diagonal, MMD²_b of Gretton et al. 2012, JMLR 13, p. 723, equation 5.
- ``distance``  k = −‖x − y‖: T is the energy distance 2E‖X−Y‖ − E‖X−X'‖ − E‖Y−Y'‖,
  Székely and Rizzo 2013, J. Stat. Plan. Inference 143, p. 1249; that both are one
  statistic: Sejdinovic et al. 2013, Ann. Stat. 41, p. 2263, theorem 22.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from proxylab.statistics.streams import draw_below, in_parts, seed_from, stream_of

KERNELS = ("gaussian", "distance")
GAUSSIAN, DISTANCE = 0, 1

PERMUTATIONS = 1000

BATCH = 256
"""Permutations per matrix product."""

FEW = 300
"""Number of episodes up to which single blocks are faster than a matrix product."""

SMALL_SHARE = 0.1
"""Share of the smaller side up to which they are faster for any number of episodes."""

_TIE = 1e-12


class PermutationTest(NamedTuple):
    """A two-sample permutation test.

    Attributes:
        statistic: T, mean over strata.
        p_value: share of labellings, the observed one included, with at least this statistic.
        replicates: float64[R], the statistics of the relabellings.
    """

    statistic: float
    p_value: float
    replicates: NDArray[np.float64]


def block_means(
    points: ArrayLike,
    offsets: ArrayLike,
    group: ArrayLike | None = None,
    kernel: str = "gaussian",
    bandwidth: float = 1.0,
    threads: int = 1,
) -> NDArray[np.float64]:
    """B of all pairs of episodes of one group: float64[E, E], symmetric.

    Args:
        points: float[T, F], states, episode after episode.
        offsets: int64[E+1], first state of each episode; none is empty.
        group: int64[E], for instance the level: pairs across groups are left 0; None
            for one group.
        kernel: ``gaussian`` or ``distance``.
        bandwidth: σ of the Gaussian, in the unit of the points.
        threads: number of threads; the result does not depend on it.

    Raises:
        ValueError: an unknown kernel, or a bandwidth that is not positive.
    """
    code, scale = kernel_code(kernel, bandwidth)
    points = np.ascontiguousarray(points, np.float64)
    offsets = np.ascontiguousarray(offsets, np.int64)
    num_episodes = len(offsets) - 1
    group = np.zeros(num_episodes, np.int64) if group is None else np.asarray(group, np.int64)
    out = np.zeros((num_episodes, num_episodes))

    def part(first: int, last: int) -> None:
        # Row k has k + 1 blocks: rows from both ends together cost as much as the middle ones.
        _fill_blocks(points, offsets, group, code, scale, first, last, out)

    in_parts(part, (num_episodes + 1) // 2, threads)
    return out


def kernel_code(kernel: str, bandwidth: float) -> tuple[int, float]:
    """(code, scale) that the compiled functions take for a kernel's name and bandwidth."""
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}: choose {', '.join(KERNELS)}")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth {bandwidth} is not positive")
    return KERNELS.index(kernel), 0.5 / bandwidth**2


@numba.njit(cache=True, nogil=True)
def _fill_blocks(
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    code: int,
    scale: float,
    first: int,
    last: int,
    out: NDArray[np.float64],
) -> None:
    num_episodes = offsets.shape[0] - 1
    for half in range(first, last):
        for side in range(2):
            e = half if side == 0 else num_episodes - 1 - half
            if side == 1 and e == half:
                continue
            for f in range(e + 1):
                if group[e] == group[f]:
                    out[e, f] = _block(points, offsets, e, points, offsets, f, code, scale)
                    out[f, e] = out[e, f]


@numba.njit(cache=True, nogil=True)
def group_means(
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    other: NDArray[np.float64],
    other_offsets: NDArray[np.int64],
    first_of_group: NDArray[np.int64],
    code: int,
    scale: float,
) -> NDArray[np.float64]:
    """Mean block of each episode with all episodes of its group on the other side.

    Args:
        points: float64[T, F].
        offsets: int64[E+1].
        group: int64[E] in [0, G).
        other: float64[U, F], states of the other side, its episodes sorted by group.
        other_offsets: int64[N+1].
        first_of_group: int64[G+1], first of those episodes in each group.
        code: ``GAUSSIAN`` or ``DISTANCE``.
        scale: 1/(2σ²).

    Returns:
        float64[E]; NaN where the group is empty.
    """
    out = np.empty(group.shape[0])
    for e in range(group.shape[0]):
        first, last = first_of_group[group[e]], first_of_group[group[e] + 1]
        total = 0.0
        for f in range(first, last):
            total += _block(points, offsets, e, other, other_offsets, f, code, scale)
        out[e] = total / (last - first) if last > first else np.nan
    return out


@numba.njit(cache=True, nogil=True)
def own_blocks(
    points: NDArray[np.float64], offsets: NDArray[np.int64], code: int, scale: float
) -> NDArray[np.float64]:
    """B_ee of every episode: float64[E]; arguments as in :func:`group_means`."""
    out = np.empty(offsets.shape[0] - 1)
    for e in range(out.shape[0]):
        out[e] = _block(points, offsets, e, points, offsets, e, code, scale)
    return out


@numba.njit(cache=True, nogil=True)
def _block(
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    e: int,
    other: NDArray[np.float64],
    other_offsets: NDArray[np.int64],
    f: int,
    code: int,
    scale: float,
) -> float:
    total = 0.0
    for i in range(offsets[e], offsets[e + 1]):
        for j in range(other_offsets[f], other_offsets[f + 1]):
            squares = 0.0
            for k in range(points.shape[1]):
                squares += (points[i, k] - other[j, k]) ** 2
            total += np.exp(-scale * squares) if code == GAUSSIAN else -np.sqrt(squares)
    pairs = (offsets[e + 1] - offsets[e]) * (other_offsets[f + 1] - other_offsets[f])
    return total / pairs


@numba.njit(cache=True)
def median_distance(points: NDArray[np.float64]) -> float:
    """Median Euclidean distance of different points: the median heuristic for a bandwidth.

    Gretton et al. 2012, section 8. 0 where no two of ``points`` (float64[N, F]) differ.
    """
    num_points = points.shape[0]
    squares = np.zeros(num_points * (num_points - 1) // 2)
    count = 0
    for i in range(num_points):
        for j in range(i):
            total = 0.0
            for k in range(points.shape[1]):
                total += (points[i, k] - points[j, k]) ** 2
            if total > 0:
                squares[count] = total
                count += 1
    return np.sqrt(np.median(squares[:count])) if count else 0.0


def permute_blocks(
    blocks: ArrayLike,
    chosen: ArrayLike,
    rng: np.random.Generator,
    stratum: ArrayLike | None = None,
    permutations: int = PERMUTATIONS,
    threads: int = 1,
) -> PermutationTest:
    """Permutation test on a block matrix: is the labelling ``chosen`` exchangeable with others?

    Labels are permuted within each stratum, and T is the mean of the strata's own
    statistics. Exact where episodes of a stratum are exchangeable.

    Args:
        blocks: float64[E, E], symmetric; only pairs of one stratum are read.
        chosen: bool[E], the episodes of one side; every stratum needs both sides.
        rng: numpy Generator; it gives one seed, and each replicate has its own stream.
        stratum: int64[E], for instance the level; None for one stratum.
        permutations: number of relabellings.
        threads: number of threads; the result does not depend on it.

    Returns:
        :class:`PermutationTest`.

    Raises:
        ValueError: a stratum lacks a side.
    """
    blocks = np.ascontiguousarray(blocks, np.float64)
    chosen = np.asarray(chosen, np.bool_)
    order, starts, picks = _arranged(chosen, stratum)
    rows = _row_sums(blocks, order, starts)
    whole = np.add.reduceat(rows[order], starts[:-1])
    observed = _labelled(blocks, rows, order, starts, picks, whole)
    seed, replicates = seed_from(rng), np.empty(permutations)
    if len(picks) == 1 and len(order) > FEW and picks[0] > SMALL_SHARE * len(order):
        _permuted_by_products(blocks, rows, order, int(picks[0]), seed, replicates, threads)
    else:

        def part(first: int, last: int) -> None:
            _permuted(blocks, rows, order, starts, picks, whole, seed, first, last, replicates)

        in_parts(part, permutations, threads)
    tie = _TIE * max(1.0, float(np.abs(np.diag(blocks)).max()))
    as_large = int(np.sum(replicates >= observed - tie))
    return PermutationTest(float(observed), (1 + as_large) / (permutations + 1), replicates)


def _arranged(
    chosen: NDArray[np.bool_], stratum: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(episodes, stratum by stratum, its smaller side first; int64[G+1] starts; smaller sizes).

    T is symmetric in the two sides.
    """
    stratum = np.zeros(len(chosen), np.int64) if stratum is None else np.asarray(stratum)
    _, row, total = np.unique(stratum, return_inverse=True, return_counts=True)
    sizes = np.bincount(row, chosen, len(total)).astype(np.int64)
    if not len(chosen) or ((sizes == 0) | (sizes == total)).any():
        raise ValueError("a two-sample test needs both samples in every stratum")
    smaller = chosen ^ (2 * sizes > total)[row]
    order = np.lexsort((~smaller, row))
    starts = np.concatenate([[0], np.cumsum(total)])
    return order, starts, np.minimum(sizes, total - sizes)


@numba.njit(cache=True, nogil=True)
def _row_sums(
    blocks: NDArray[np.float64], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Σ_f B_ef over the episodes f of e's stratum: float64[E], by episode."""
    out = np.zeros(order.shape[0])
    for g in range(starts.shape[0] - 1):
        for a in range(starts[g], starts[g + 1]):
            for b in range(starts[g], starts[g + 1]):
                out[order[a]] += blocks[order[a], order[b]]
    return out


@numba.njit(cache=True, nogil=True)
def _permuted(
    blocks: NDArray[np.float64],
    rows: NDArray[np.float64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    picks: NDArray[np.int64],
    whole: NDArray[np.float64],
    seed: np.uint64,
    first: int,
    last: int,
    out: NDArray[np.float64],
) -> None:
    """T of relabellings ``first`` to ``last`` − 1, into ``out``."""
    for r in range(first, last):
        places = _relabelled(order, starts, picks, stream_of(seed, r))
        out[r] = _labelled(blocks, rows, places, starts, picks, whole)


@numba.njit(cache=True, nogil=True)
def _relabelled(
    order: NDArray[np.int64], starts: NDArray[np.int64], picks: NDArray[np.int64], key: np.uint64
) -> NDArray[np.int64]:
    """``order`` with a random choice of episodes at the front of each stratum."""
    places, counter = order.copy(), 0
    for g in range(picks.shape[0]):
        for k in range(starts[g], starts[g] + picks[g]):
            other = k + draw_below(key, counter, starts[g + 1] - k)
            places[k], places[other] = places[other], places[k]
            counter += 1
    return places


@numba.njit(cache=True, nogil=True)
def _labelled(
    blocks: NDArray[np.float64],
    rows: NDArray[np.float64],
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    picks: NDArray[np.int64],
    whole: NDArray[np.float64],
) -> float:
    """T where the first ``picks`` of ``places`` in each stratum are the one side."""
    total = 0.0
    for g in range(picks.shape[0]):
        inside, edge = 0.0, 0.0
        for a in range(starts[g], starts[g] + picks[g]):
            half = 0.0
            for b in range(starts[g], a):
                half += blocks[places[a], places[b]]
            inside += 2 * half + blocks[places[a], places[a]]
            edge += rows[places[a]]
        rest = starts[g + 1] - starts[g] - picks[g]
        total += _statistic(inside, edge, whole[g], picks[g], rest)
    return total / picks.shape[0]


@numba.njit(cache=True, nogil=True)
def _statistic(
    inside: NDArray[np.float64] | float,
    edge: NDArray[np.float64] | float,
    whole: float,
    few: int,
    rest: int,
) -> NDArray[np.float64] | float:
    """T from sums of blocks: within the few, of their rows, of all; and the two sizes."""
    across = edge - inside
    outside = whole - 2 * edge + inside
    return inside / few**2 + outside / rest**2 - 2 * across / (few * rest)


def _permuted_by_products(
    blocks: NDArray[np.float64],
    rows: NDArray[np.float64],
    order: NDArray[np.int64],
    few: int,
    seed: np.uint64,
    out: NDArray[np.float64],
    threads: int,
) -> None:
    """The same for one stratum, ``BATCH`` relabellings a matrix product."""
    size, whole = len(order), float(rows.sum())

    def part(first: int, last: int) -> None:
        for batch in range(first, last):
            start, stop = batch * BATCH, min((batch + 1) * BATCH, len(out))
            labels = np.zeros((stop - start, size))
            _label(labels, order, few, seed, start)
            inside = np.einsum("re,re->r", labels @ blocks, labels)
            edge = labels @ rows
            out[start:stop] = _statistic(inside, edge, whole, few, size - few)

    in_parts(part, -(-len(out) // BATCH), threads)


@numba.njit(cache=True, nogil=True)
def _label(
    labels: NDArray[np.float64], order: NDArray[np.int64], few: int, seed: np.uint64, first: int
) -> None:
    """Ones at the choice of relabelling first + r in row r of ``labels`` (float64[R, E] zeros)."""
    starts, picks = np.array([0, order.shape[0]]), np.array([few])
    for r in range(labels.shape[0]):
        places = _relabelled(order, starts, picks, stream_of(seed, first + r))
        for k in range(few):
            labels[r, places[k]] = 1.0
