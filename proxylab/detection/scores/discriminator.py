"""A classifier of suspect and trusted steps, and the divergences that follow from it.

The one file of ``detection`` that imports torch, and only when such a score is computed.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.scores.clone import move_features
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes

if TYPE_CHECKING:
    import torch

WIDTH = 256
UPDATES = 150
BATCH = 128
"""Rows of each side in an update."""

LEARNING_RATE = 1e-3
STEPS_KEPT = 32
"""Largest number of steps used of an episode, evenly spaced."""

FOLDS = 2
TRIM = 0.01
"""Share of the suspect's steps left out at either end by ``chi2``."""

SEED = 0
"""Of weights and batches: the same in every run, so that a score is a function of its episodes."""

_KNOWN: "WeakKeyDictionary[Episodes, tuple[DiscriminatorReference, Ratios]]" = WeakKeyDictionary()
"""{suspect: (reference, ratios)}, shared by three scores."""


class Rows(NamedTuple):
    """Steps as inputs.

    Attributes:
        inputs: float32[N, D].
        offsets: int64[E+1], first row of each episode.
        fold: int64[E]; episodes of one level share it.
    """

    inputs: NDArray[np.float32]
    offsets: NDArray[np.int64]
    fold: NDArray[np.int64]


class DiscriminatorReference(NamedTuple):
    """Inputs of the reference policies.

    Attributes:
        reference: tuple of Episodes.
        levels: int64[L], ascending.
        task: :class:`TaskView`.
        rows: list of :class:`Rows`, one a reference policy.
    """

    reference: tuple[Episodes, ...]
    levels: NDArray[np.int64]
    task: TaskView
    rows: list[Rows]


class Ratios(NamedTuple):
    """Held-out log density ratios, suspect over trusted, nats.

    Attributes:
        suspect: float64[N], one per row.
        offsets: int64[E+1], first row of each of the suspect's episodes.
        trusted_right: share of reference episodes classified as trusted.
    """

    suspect: NDArray[np.float64]
    offsets: NDArray[np.int64]
    trusted_right: float


@dataclass(frozen=True)
class Discriminator:
    """Divergence of suspect and trusted by a cross-fitted logistic discriminator.

    Access L (logs of both). A network (two layers of 256) is trained to separate steps of
    the suspect from steps of the pooled reference policies, each side and each episode with
    equal weight, on one half of the levels, and evaluated on the other half; its output d
    estimates the log ratio of the two occupancies on held-out levels.

        kl        mean over episodes of the mean of d                       (nats)
        chi2      the same of e^d − 1, the outer 1 % of d left out at both ends
        accuracy  ½ (share of suspect episodes with mean d > 0 + share of trusted
                  episodes with mean d ≤ 0); ½ when they are indistinguishable

    Inputs: the features of a step where the task has them, else its state, one-hot; the
    action; and, where the map is known, the distance to each landmark and whether the
    action comes nearer to it. Without the map the network cannot
    distinguish states of different mazes, and learns only what holds over all of them.

    ``chi2`` is a score for ranking: it is trimmed, unlike the certificate's χ².

    Source: density ratio by classification, Sugiyama, Suzuki, Kanamori 2012; occupancy
    divergence, arXiv 2403.03185; classifier two-sample test, Lopez-Paz and Oquab 2017,
    arXiv 1610.06545.

    Attributes:
        name: in tables and on the command line.
        statistic: ``kl``, ``chi2`` or ``accuracy``.
    """

    name: str
    statistic: str
    access: ClassVar[str] = "L"
    higher_is: ClassVar[str] = "more anomalous"

    @property
    def unit(self) -> str:
        """Unit of the score."""
        return {"kl": "nats", "chi2": "chi-square, trimmed", "accuracy": "share"}[self.statistic]

    @property
    def source(self) -> str:
        """Where the score comes from."""
        if self.statistic == "accuracy":
            return "classifier two-sample test, arXiv 1610.06545; by episode"
        return "density ratio by a classifier; occupancy divergence, arXiv 2403.03185"

    def fit(self, reference: list[Episodes], task: TaskView) -> DiscriminatorReference:
        """The inputs of the reference policies (list[Episodes]).

        Raises:
            NotApplicable: a single level, so none can be held out; or no states.
        """
        levels = np.unique(np.concatenate([e.level_seed for e in reference]))
        if len(levels) < FOLDS:
            raise NotApplicable(f"{self.name} needs at least {FOLDS} levels")
        rows = [_rows(episodes, levels, task, self.name) for episodes in reference]
        return DiscriminatorReference(tuple(reference), levels, task, rows)

    def per_episode(self, state: DiscriminatorReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E]; NaN for an episode whose steps ``chi2`` trims entirely."""
        ratios = _ratios(state, suspect, self.name)
        starts = ratios.offsets[:-1]
        counts = np.diff(ratios.offsets)
        if self.statistic == "accuracy":
            looks = np.add.reduceat(ratios.suspect, starts) > 0
            return 0.5 * (looks.astype(np.float64) + ratios.trusted_right)
        if self.statistic == "kl":
            return np.add.reduceat(ratios.suspect, starts) / counts
        low, high = np.quantile(ratios.suspect, [TRIM, 1 - TRIM])
        central = (ratios.suspect >= low) & (ratios.suspect <= high)
        sums = np.add.reduceat(np.where(central, np.expm1(ratios.suspect), 0), starts)
        counts = np.add.reduceat(central, starts, dtype=np.int64)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def score(
        self, state: DiscriminatorReference, suspect: Episodes, rng: np.random.Generator
    ) -> float:
        """Mean over episodes; ``rng`` is not used, see ``SEED``."""
        return float(np.nanmean(self.per_episode(state, suspect)))


def _rows(episodes: Episodes, levels: NDArray[np.int64], task: TaskView, name: str) -> Rows:
    """Evenly spaced steps of every episode as :class:`Rows`."""
    counts = np.minimum(episodes.lengths, STEPS_KEPT)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    rank = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    into = rank * np.repeat(episodes.lengths, counts) // np.repeat(counts, counts)
    steps = np.repeat(episodes.episode_offsets[:-1], counts) + into
    halves = np.random.default_rng(SEED).permutation(len(levels)) % FOLDS
    fold = halves[level_rows(levels, episodes)]
    return Rows(_inputs(episodes, steps, task, name), offsets, fold)


def _inputs(
    episodes: Episodes, steps: NDArray[np.int64], task: TaskView, name: str
) -> NDArray[np.float32]:
    """float32[N, D], the network's inputs at each of ``steps``."""
    action = episodes.action[steps]
    columns: list[NDArray[Any]] = [np.eye(episodes.num_actions)[action]]
    if episodes.features.shape[1]:
        columns.append(episodes.features[steps])
    else:
        require_states(episodes, name)
        columns.append(np.eye(episodes.num_states)[episodes.state_id[steps]])
    if task.landmark_distances is not None:
        seeds, state = episodes.level_seed[episodes.episode_index[steps]], episodes.state_id[steps]
        distances = task.landmark_distances[task.rows(seeds, name), :, state].astype(np.float64)
        columns += [distances / 10, np.exp(-np.maximum(distances, 0)), distances < 0]
        if task.successors is not None:
            columns.append(move_features(task, seeds, state, name)[np.arange(len(steps)), action])
    return np.concatenate(columns, axis=1).astype(np.float32)


def _ratios(state: DiscriminatorReference, suspect: Episodes, name: str) -> Ratios:
    """:class:`Ratios`; each fold is evaluated by the network trained on the other."""
    trusted = [*map(id, state.reference), id(state.task)]
    known = _KNOWN.get(suspect)
    if known and [*map(id, known[0].reference), id(known[0].task)] == trusted:
        return known[1]
    inputs = _rows(suspect, state.levels, state.task, name)
    log_ratios = np.empty(inputs.offsets[-1])
    right = []
    for fold in range(FOLDS):
        read = _train([inputs], state.rows, fold)
        inside = np.repeat(inputs.fold == fold, np.diff(inputs.offsets))
        log_ratios[inside] = read(inputs.inputs[inside])
        for rows in state.rows:
            inside = np.repeat(rows.fold == fold, np.diff(rows.offsets))
            starts = np.concatenate(([0], np.cumsum(np.diff(rows.offsets)[rows.fold == fold])))
            if starts[-1]:
                right.append(np.add.reduceat(read(rows.inputs[inside]), starts[:-1]) <= 0)
    ratios = Ratios(log_ratios, inputs.offsets, float(np.concatenate(right).mean()))
    _KNOWN[suspect] = (state._replace(rows=[]), ratios)
    return ratios


def _train(
    suspect: list[Rows], trusted: list[Rows], fold: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A function float32[N, D] -> float64[N] log ratios, trained on all folds but one."""
    import torch  # torch takes a second to load

    rng = np.random.default_rng(SEED + fold)
    everything = np.concatenate([rows.inputs for rows in (*suspect, *trusted)])
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-3

    def scaled(inputs: NDArray[np.float32]) -> "torch.Tensor":
        return torch.from_numpy((inputs - mean) / spread)

    batches = [_draw(side, fold, rng) for side in (suspect, trusted)]
    labels = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
    with _one_thread(torch), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED + fold)
        network = torch.nn.Sequential(
            torch.nn.Linear(everything.shape[1], WIDTH),
            torch.nn.ReLU(),
            torch.nn.Linear(WIDTH, WIDTH),
            torch.nn.ReLU(),
            torch.nn.Linear(WIDTH, 1),
        )
        optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        for suspect_rows, trusted_rows in zip(*batches, strict=True):
            logits = network(scaled(np.concatenate([suspect_rows, trusted_rows]))).squeeze(1)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def read(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        with _one_thread(torch), torch.no_grad():
            return network(scaled(inputs)).squeeze(1).double().numpy()

    return read


def _draw(side: list[Rows], fold: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """float32[UPDATES, BATCH, D]: a random step of a random episode outside ``fold``."""
    first = np.concatenate(([0], np.cumsum([len(rows.inputs) for rows in side])))
    starts, counts = [], []
    for base, rows in zip(first[:-1], side, strict=True):
        outside = rows.fold != fold
        starts.append(base + rows.offsets[:-1][outside])
        counts.append(np.diff(rows.offsets)[outside])
    starts, counts = np.concatenate(starts), np.concatenate(counts)
    episode = rng.integers(0, len(starts), (UPDATES, BATCH))
    step = (rng.random((UPDATES, BATCH)) * counts[episode]).astype(np.int64)
    return np.concatenate([rows.inputs for rows in side])[starts[episode] + step]


@contextmanager
def _one_thread(torch: ModuleType) -> Generator[None]:
    """Run torch on one thread: more would change the last bits, and are no faster at this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
