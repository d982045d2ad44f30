"""``proxylab search``: the levels on which a suspect fails worst, of all that a budget allows.

What is maximised:

- ``regret``: the optimal true return minus the suspect's;
- ``proxy-gain``: the suspect's proxy return minus that of the trusted agent;
- ``divergence``: the mean total variation distance of the suspect's actions from the trusted
  agent's, over the steps of its episode; this one reads no reward.
"""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError, choices
from proxylab.evaluation.evaluate import env_kwargs_of, task_of
from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab.search.methods import METHODS
from proxylab.seeds import stream_seed
from proxylab.statistics.divergences import total_variation
from proxylab.storage.provenance import provenance_of
from proxylab.storage.store import write_table
from proxylab.storage.whole_files import whole_file
from proxylab.tasks import TASKS, known_task
from proxylab_envs.search_space import SearchSpace

SCHEMA = "proxylab.search/1"
BATCH = 256
REGRET, GAIN, DIVERGENCE = "regret", "proxy-gain", "divergence"
OBJECTIVES = (REGRET, GAIN, DIVERGENCE)
PERCENTILES = (50, 99)
CELL = 2
"""Side of a cell of the archive, in units of its measures."""


@dataclass(frozen=True)
class SearchSettings:
    """The options of ``search``.

    Attributes:
        maximise: ``regret``, ``proxy-gain`` or ``divergence``.
        method: ``elites``, ``prioritised`` or ``random``.
        budget: number of levels, in whole batches of 256.
        edits: most edits of a level that no generator makes; 0 stays within the shifted levels.
        worst: number of levels that are reported.
        out: folder for the archive, its picture and the worst levels as text; None writes nothing.
        seed: of the search and the action draws.
    """

    maximise: str = REGRET
    method: str = "elites"
    budget: int = 10_240
    edits: int = 3
    worst: int = 20
    out: str | Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """``UsageError`` names the first invalid option."""
        if self.maximise not in OBJECTIVES:
            raise UsageError(
                f"cannot maximise {self.maximise!r}: {choices(self.maximise, OBJECTIVES)}"
            )
        if self.method not in METHODS:
            raise UsageError(f"no method {self.method!r}: {choices(self.method, METHODS)}")
        if self.budget < BATCH:
            raise UsageError(f"a search needs a budget of at least {BATCH} levels")


@dataclass(frozen=True)
class WorstLevel:
    """A level, as bad as the search has found.

    Attributes:
        score: what was maximised.
        again: the same when the level is played once more, with other draws: a score that was
            chosen for its size is too high where chance has a part in it.
        measures: {name: value} of the level.
        text: the level, as ``play --level`` reads it.
        file: where it was written, or None.
    """

    score: float
    again: float
    measures: dict[str, float]
    text: str
    file: str | None = None


@dataclass(frozen=True)
class SearchReport:
    """The result of ``search``.

    Attributes:
        task: task name.
        suspect: name of the agent.
        trusted: name of the agent it is compared with, or None.
        settings: :class:`SearchSettings`.
        levels: number of levels that were played.
        mean: mean score of all levels of the search.
        percentiles: {percentile: score} of the levels of the search.
        cells: number of cells of the grid of measures with a level.
        archive: Parquet file with the worst level of every cell, or None.
        picture: the archive as a heat map with the worst levels, or None.
        worst: the worst levels of different cells, worst first.
        levels_per_second: of the whole search.
        provenance: commit, versions, seed, seconds.
        schema: schema of the JSON.
    """

    task: str
    suspect: str
    trusted: str | None
    settings: SearchSettings
    levels: int
    mean: float
    percentiles: dict[str, float]
    cells: int
    archive: str | None
    picture: str | None
    worst: list[WorstLevel]
    levels_per_second: float
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The JSON object as a dict, ``schema`` first."""
        facts = asdict(self)
        facts["settings"]["out"] = None if self.settings.out is None else str(self.settings.out)
        return {"schema": self.schema} | facts


class Played(NamedTuple):
    """Episodes on placed levels: float64[K] each, and what was recorded at the steps."""

    true_return: NDArray[np.float64]
    proxy_return: NDArray[np.float64]
    divergence: NDArray[np.float64]


class Judge:
    """Plays levels and scores them.

    Attributes:
        space: the levels of the task.
    """

    def __init__(
        self, space: SearchSpace, suspect: Policy, trusted: Policy | None, maximise: str, seed: int
    ) -> None:
        """``trusted`` is needed unless regret is maximised."""
        if trusted is None and maximise != REGRET:
            raise UsageError(f"{maximise} compares with a trusted agent: name it by --trusted")
        self.space, self.suspect, self.trusted = space, suspect, trusted
        self.maximise, self.seed = maximise, stream_seed(seed, "search actions")

    def scores(self, levels: list[Any]) -> NDArray[np.float64]:
        """float64[K] of the levels; greater is worse."""
        own = self._play(self.suspect, levels, self.maximise == DIVERGENCE)
        if self.maximise == REGRET:
            return self.space.optimal(levels) - own.true_return
        if self.maximise == DIVERGENCE:
            return own.divergence
        assert self.trusted is not None  # checked at the start
        return own.proxy_return - self._play(self.trusted, levels, False).proxy_return

    def scores_of_any(self, levels: list[Any]) -> NDArray[np.float64]:
        """float64[K], as :meth:`scores`, of any number of levels."""
        parts = [levels[first : first + BATCH] for first in range(0, len(levels), BATCH)]
        return np.concatenate([self.scores(part) for part in parts])

    def _play(self, policy: Policy, levels: list[Any], compared: bool) -> Played:
        env, count = self.space.env, len(levels)
        env.core.truncated[:] = True
        self.space.place(levels)
        apart, steps = np.zeros(count), np.zeros(count)
        both = _Beside(policy, self.trusted if compared else None, apart)
        for moved, _, _ in run_to_end(both, env, seed=self.seed):
            steps[moved] += 1
        returns = env.core.returns[:count].copy()
        return Played(returns[:, 0], returns[:, 1], apart / np.maximum(steps, 1))


class _Beside:
    """A policy that notes at every step how far another one's actions are."""

    def __init__(self, policy: Policy, other: Policy | None, apart: NDArray[np.float64]) -> None:
        self.policy, self.other, self.apart = policy, other, apart
        self.name, self.task = policy.name, policy.task

    def probabilities(self, env: Any, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] of the first policy."""
        own = self.policy.probabilities(env, indices)
        if self.other is not None:
            theirs = self.other.probabilities(env, indices)
            self.apart[indices] += total_variation(own, theirs)
        return own


Entry = tuple[float, NDArray[np.float64], Any]
"""(score, measures float64[2], level)."""


class Archive:
    """The worst level of every cell of a grid of measures, whatever chose the levels."""

    def __init__(self, space: SearchSpace) -> None:
        """Cells of ``CELL`` units along each measure of ``space``."""
        self.space = space
        self.best: dict[tuple[int, ...], Entry] = {}

    def add(
        self, levels: list[Any], scores: NDArray[np.float64], places: NDArray[np.float64]
    ) -> None:
        """Keep what is worse than what its cell holds."""
        for level, score, place in zip(levels, scores.tolist(), places, strict=True):
            cell = tuple((place // CELL).astype(int).tolist())
            if cell not in self.best or score > self.best[cell][0]:
                self.best[cell] = (score, place, level)

    def entries(self) -> list[Entry]:
        """The worst level of each cell, worst first."""
        return sorted(self.best.values(), key=lambda entry: -entry[0])

    def rows(self) -> list[dict[str, Any]]:
        """One row for each of :meth:`entries`."""
        names = [name.replace(" ", "_") for name in self.space.measure_names]
        return [
            {
                "score": score,
                **dict(zip(names, place.tolist(), strict=True)),
                "level": self.space.text(level),
            }
            for score, place, level in self.entries()
        ]


def search_levels(
    suspect: str | Policy,
    trusted: str | Policy | None = None,
    task: str | None = None,
    settings: SearchSettings | None = None,
    *,
    track: Track = no_progress,
) -> SearchReport:
    """Search for the levels on which an agent does worst.

    Args:
        suspect: the agent, or its reference.
        trusted: the agent it is compared with; not needed for ``regret``.
        task: task name; by default the agent's own.
        settings: :class:`SearchSettings`.
        track: function (list, description) -> iterable, to show progress.

    Raises:
        UsageError: wrong use, or a task whose levels cannot be searched.
    """
    started, own = time.perf_counter(), settings or SearchSettings()
    policy = load_agent(suspect) if isinstance(suspect, str) else suspect
    other = load_agent(trusted) if isinstance(trusted, str) else trusted
    task = task_of(policy, task)
    judge = Judge(_space(task, policy, own.edits), policy, other, own.maximise, own.seed)
    archive, scores = _searched(judge, own, track)
    entries, rows = archive.entries(), archive.rows()
    seconds = time.perf_counter() - started
    written = _written(judge.space, entries, rows, own)
    shown = [level for _, _, level in entries[: own.worst]]
    again = Judge(judge.space, policy, other, own.maximise, own.seed + 1).scores_of_any(shown)
    return SearchReport(
        task=task,
        suspect=policy.name,
        trusted=other.name if other else None,
        settings=own,
        levels=len(scores),
        mean=float(scores.mean()),
        percentiles={str(p): float(np.percentile(scores, p)) for p in PERCENTILES},
        cells=len(rows),
        archive=written.table,
        picture=written.picture,
        worst=[_worst(*of) for of in zip(rows, again.tolist(), written.levels, strict=False)],
        levels_per_second=len(scores) / seconds,
        provenance=provenance_of(own.seed, seconds),
    )


def _searched(
    judge: Judge, settings: SearchSettings, track: Track
) -> tuple[Archive, NDArray[np.float64]]:
    """The archive, and the scores of all levels in their order."""
    space = judge.space
    make = METHODS[settings.method]
    chooser = make(space.num_numbers, space.measure_ranges, settings.seed)
    archive, scores = Archive(space), []
    title = f"{settings.method}, {BATCH} levels each"
    for _ in track(list(range(settings.budget // BATCH)), title):
        points = chooser.ask(BATCH)
        levels = space.levels(points)
        found, places = judge.scores(levels), space.measures(levels)
        chooser.tell(points, found, places)
        archive.add(levels, found, places)
        scores.append(found)
    return archive, np.concatenate(scores)


def _space(task: str, policy: Policy, edits: int) -> SearchSpace:
    known_task(task)
    space = TASKS[task].make_env(BATCH, **env_kwargs_of(policy)).search_space(edits)
    if space is None:
        raise UsageError(f"levels of {task} cannot be searched: it describes no space of them")
    return space


class _Written(NamedTuple):
    """Paths of what was written; None each without a folder."""

    table: str | None
    picture: str | None
    levels: list[str | None]


def _written(
    space: SearchSpace, entries: list[Entry], rows: list[dict[str, Any]], settings: SearchSettings
) -> _Written:
    """Write the archive, its picture and the worst levels."""
    shown = rows[: settings.worst]
    if settings.out is None:
        return _Written(None, None, [None] * len(shown))
    folder = Path(settings.out)
    table = folder / "archive.parquet"
    write_table(rows, table)
    files: list[str | None] = []
    for number, row in enumerate(shown):
        file = folder / f"level-{number:02d}.txt"
        with whole_file(file) as temporary:
            temporary.write_text(row["level"] + "\n")
        files.append(str(file))
    return _Written(str(table), _drawn(space, entries, settings.maximise, folder), files)


def _drawn(space: SearchSpace, entries: list[Entry], what: str, folder: Path) -> str:
    """Draw the archive with its worst levels -> path of the picture."""
    from proxylab.plots.search import MOST_PICTURES, ArchiveOfLevels, worst_levels  # matplotlib
    from proxylab.plots.style import save  # matplotlib

    shown = [level for _, _, level in entries[:MOST_PICTURES]]
    space.place(shown)
    figure = worst_levels(
        ArchiveOfLevels(
            score=what,
            measures=space.measure_names,
            scores=np.array([score for score, _, _ in entries]),
            places=np.array([place // CELL for _, place, _ in entries], np.int64),
            side=CELL,
            pictures=[space.env.render_rgb(k) for k in range(len(shown))],
        )
    )
    return str(save(figure, folder / "archive")[0])


def _worst(row: dict[str, Any], again: float, file: str | None) -> WorstLevel:
    measures = {name: value for name, value in row.items() if name not in ("score", "level")}
    return WorstLevel(row["score"], again, measures, row["level"], file)
