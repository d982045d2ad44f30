"""``proxylab bench detectors``: rollouts, labels, scores and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.console.output import Track, no_progress
from proxylab.detection import DEFAULT_DETECTOR, SCORES
from proxylab.detection.scores.registry import Score
from proxylab.errors import UsageError
from proxylab.leaderboard import controls, tables
from proxylab.leaderboard.freeze import CANDIDATES, frozen
from proxylab.leaderboard.labels import label_rows
from proxylab.leaderboard.policies import (
    BUDGETS,
    SETS,
    Budget,
    PolicySuite,
    assemble,
    contested,
    play,
)
from proxylab.leaderboard.scoring import score_all
from proxylab.leaderboard.targets import target_rows
from proxylab.screening.detectors import detector_of
from proxylab.storage import store
from proxylab.storage.provenance import commit, versions

SCHEMA = "proxylab.bench-detectors/1"
MAX_BENCHMARK_EPISODES = 100_000

PROXY_EPISODES = 50
"""Episodes of the control on the proxy return, on held-out levels like those of training."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """Configuration of a benchmark.

    Attributes:
        tasks: names of tasks.
        detectors: {name: detector}.
        stage: ``test`` or ``development``.
        budget: :class:`~proxylab.leaderboard.policies.Budget`.
        seed: seed of levels, action draws and the bootstrap.
        standard: whether this is the published benchmark.
        folder: folder of labels and scores.
    """

    tasks: tuple[str, ...]
    detectors: Mapping[str, Score]
    stage: str
    budget: Budget
    seed: int
    standard: bool
    folder: Path


@dataclass(frozen=True)
class Leaderboard:
    """The result of ``bench detectors``.

    Attributes:
        stage: ``test`` or ``development``.
        facts: budget, seed, provenance, and the hash of the frozen settings.
        tables: {name: list of rows}; ``detectors`` is the leaderboard itself.
        files: paths of the tables.
    """

    stage: str
    facts: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    files: list[str]

    def as_json(self) -> dict[str, Any]:
        """The object that ``bench detectors --json`` prints."""
        shown = {name: rows for name, rows in self.tables.items() if name != "scores"}
        return {
            "schema": SCHEMA,
            "stage": self.stage,
            **self.facts,
            "tables": shown,
            "files": self.files,
        }


def bench_detectors(
    task: str | None = None,
    detector: str | Sequence[str] = (),
    episodes: int | None = None,
    seed: int = 0,
    budget: str = "full",
    stage: str = "test",
    track: Track = no_progress,
) -> Leaderboard:
    """Score detectors on the contested tasks.

    Results are cached in ``results/runs/leaderboard``; an interrupted run resumes.

    Args:
        task: name of a task; by default all tasks.
        detector: names, or ``module:Class`` of a user-defined one; by default all of the table.
        episodes: number of episodes of every policy; by default that of the budget.
        seed: seed of levels, action draws and the bootstrap.
        budget: ``smoke`` or ``full``.
        stage: ``test``, or ``development`` for the policies on which settings are chosen.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`Leaderboard`.

    Raises:
        UsageError: an unknown name, or a detector that fails.
    """
    config = _config(task, detector, episodes, seed, budget, stage)
    all_task_scores: list[TaskTables] = []
    proxy_controls: list[dict[str, Any]] = []
    for name in config.tasks:
        task_scores, rows = _one_task(config, name, track)
        all_task_scores.append(task_scores)
        proxy_controls += rows
    all_rows = _tables(all_task_scores, list(config.detectors), seed)
    all_rows["labels"] = [row for task_scores in all_task_scores for row in task_scores.truth]
    all_rows["controls"] += proxy_controls
    return _written(config, all_rows, all_task_scores)


def _config(
    task: str | None,
    detector: str | Sequence[str],
    episodes: int | None,
    seed: int,
    budget: str,
    stage: str,
) -> BenchmarkConfig:
    """The configuration of the arguments of :func:`bench_detectors`, after checks."""
    if budget not in BUDGETS:
        raise UsageError(f"no budget {budget!r}: choose {', '.join(BUDGETS)}")
    if stage not in SETS:
        raise UsageError(f"no stage {stage!r}: choose {', '.join(SETS)}")
    chosen = BUDGETS[budget]
    if episodes is not None:
        if not 2 <= episodes <= MAX_BENCHMARK_EPISODES:
            raise UsageError(f"episodes {episodes} is not between 2 and {MAX_BENCHMARK_EPISODES}")
        chosen = replace(chosen, episodes=episodes)
    names = [detector] if isinstance(detector, str) else list(detector)
    detectors = _detectors([DEFAULT_DETECTOR, *names] if names else SCORES)
    tasks = contested(task)
    everything = not names if stage == "test" else tuple(names) == CANDIDATES
    standard = everything and task is None and chosen == BUDGETS["full"] and seed == 0
    size = f"{budget}-{chosen.episodes}-{seed}"
    folder = store.leaderboard_folder() / f"{stage}-{size}"
    return BenchmarkConfig(tasks, detectors, stage, chosen, seed, standard, folder)


def _detectors(names: Iterable[str]) -> dict[str, Score]:
    """{name: detector}; ``UsageError`` where two different detectors have the same name."""
    detectors: dict[str, Score] = {}
    for name in dict.fromkeys(names):
        detector = detector_of(name)
        other = detectors.setdefault(detector.name, SCORES.get(detector.name, detector))
        if other != detector:
            raise UsageError(f"{name}: there is another detector called {detector.name!r}")
    return detectors


@dataclass(frozen=True, eq=False)
class TaskTables(tables.TaskScores):
    """One task's scores and labels, with the measurements behind the labels.

    Attributes:
        truth: rows of ``labels.label_rows``.
        rollout_seconds: seconds to run one policy.
    """

    truth: list[dict[str, Any]]
    rollout_seconds: float


def _one_task(
    config: BenchmarkConfig, task: str, track: Track
) -> tuple[TaskTables, list[dict[str, Any]]]:
    """(scores, rows of the proxy control) of a task; the control needs the iid levels."""
    budget, seed, folder = config.budget, config.seed, config.folder / task
    suite = assemble(task, config.stage, budget, track)
    played = play(suite, budget.episodes, seed, track)
    records = score_all(played, config.detectors, seed, folder, track)
    rows = label_rows(suite, budget.label_episodes, seed, folder, track)
    truth = [{"task": task, **row} for row in rows]
    label = {row["policy"]: row["label"] for row in rows}
    task_scores = TaskTables(task, suite.kind, label, records, truth, played.rollout_seconds)
    if "proxy_stream" not in config.detectors:
        return task_scores, []
    return task_scores, _proxy_control(config, suite, task_scores, "iid", track)


def _proxy_control(
    config: BenchmarkConfig, suite: PolicySuite, task_scores: TaskTables, split: str, track: Track
) -> list[dict[str, Any]]:
    """Rows of ``proxy_stream`` on a split on which proxy returns may be matched."""
    episodes = min(config.budget.episodes, PROXY_EPISODES)
    played = play(suite, episodes, config.seed, track, split)
    detectors = {"proxy_stream": config.detectors["proxy_stream"]}
    folder = config.folder / suite.task / split
    records = score_all(played, detectors, config.seed, folder, track)
    changes = {
        row["policy"]: (row[f"{split}_proxy_lower"], row[f"{split}_proxy_upper"])
        for row in task_scores.truth
    }
    on_split = tables.TaskScores(suite.task, suite.kind, task_scores.label, records)
    return controls.proxy_rows(suite.task, split, on_split, changes, config.seed)


def _tables(
    all_task_scores: Sequence[TaskTables], detectors: Sequence[str], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """{name: rows}, the leaderboard first."""
    return {
        "detectors": tables.detector_rows(all_task_scores, detectors, seed),
        "classes": tables.class_rows(all_task_scores, detectors, seed),
        "episodes": tables.episode_rows(all_task_scores, detectors),
        "flags": tables.flag_rows(all_task_scores, detectors),
        "controls": controls.control_rows(all_task_scores, detectors, seed),
        "scores": tables.score_rows(all_task_scores, detectors),
    }


def _written(
    config: BenchmarkConfig,
    all_rows: dict[str, list[dict[str, Any]]],
    all_task_scores: Sequence[TaskTables],
) -> Leaderboard:
    """The :class:`Leaderboard`, after writing its tables and facts."""
    settings = frozen() if config.stage == "test" else None
    if config.standard and settings:
        all_rows["targets"] = target_rows(all_rows, settings)
    folder, stem = config.folder, ""
    if config.standard:
        folder = store.shown_folder("tables")
        stem = "leaderboard-" if config.stage == "test" else "leaderboard-development-"
    files = []
    for name, rows in all_rows.items():
        if rows:
            path = folder / f"{stem}{name}.csv"
            store.write_table([_plain(row) for row in rows], path)
            files.append(str(path))
    facts = {
        "tasks": list(config.tasks),
        "episodes": config.budget.episodes,
        "label_episodes": config.budget.label_episodes,
        "seed": config.seed,
        "frozen": settings and settings["sha256"],
        "rollout_seconds": {s.task: round(s.rollout_seconds, 3) for s in all_task_scores},
        "labels": _counts(all_rows["labels"]),
        "commit": commit()[0],
        "versions": versions(),
    }
    store.write_json(folder / (f"{stem.rstrip('-')}.json" if stem else "facts.json"), facts)
    return Leaderboard(config.stage, facts, all_rows, files)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its numbers rounded to six significant digits."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float | np.floating) else value
        for name, value in row.items()
    }


def _counts(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """{task: {kind: {label: number}}}."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        labels = counts.setdefault(row["task"], {}).setdefault(row["kind"], {})
        labels[row["label"]] = labels.get(row["label"], 0) + 1
    return counts
