"""``proxylab bench detectors``: play, label, score, and make the tables."""

from dataclasses import dataclass, replace

import numpy as np

from proxylab.detection import DEFAULT_DETECTOR, SCORES
from proxylab.errors import UsageError
from proxylab.leaderboard import controls, tables
from proxylab.leaderboard.freeze import CANDIDATES, frozen
from proxylab.leaderboard.labels import label_rows
from proxylab.leaderboard.policies import BUDGETS, SETS, assemble, contested, play
from proxylab.leaderboard.scoring import score_all
from proxylab.leaderboard.targets import target_rows
from proxylab.screening.detectors import detector_of
from proxylab.screening.run import one_torch_thread
from proxylab.storage import store
from proxylab.storage.provenance import commit, versions

SCHEMA = "proxylab.bench-detectors/1"
MAX_BENCHMARK_EPISODES = 100_000

PROXY_EPISODES = 50
"""Of the control that watches the proxy return on levels like those of training."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """What is to be scored.

    Attributes:
        tasks: names.
        detectors: {name: detector}.
        stage: ``test`` or ``development``.
        budget: :class:`~proxylab.leaderboard.policies.Budget`.
        seed: of levels, draws and the bootstrap.
        standard: whether this is the benchmark as it is published.
        folder: where rollouts, labels and scores are kept.
    """

    tasks: tuple
    detectors: dict
    stage: str
    budget: object
    seed: int
    standard: bool
    folder: object


@dataclass(frozen=True)
class Leaderboard:
    """What ``bench detectors`` found.

    Attributes:
        stage: ``test`` or ``development``.
        facts: budget, seed, provenance, and the hash of the frozen settings.
        tables: {name: list of rows}; ``detectors`` is the leaderboard itself.
        files: the tables as written.
    """

    stage: str
    facts: dict
    tables: dict
    files: list[str]

    def as_json(self):
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
    task=None,
    detector=(),
    episodes=None,
    seed=0,
    budget="full",
    stage="test",
    track=lambda jobs, description: jobs,
):
    """Score detectors on the contested tasks.

    What is done is kept under ``results/runs/leaderboard`` and not done again.

    Args:
        task: one task's name; all by default.
        detector: names, or ``module:Class`` of one's own; all of the table by default.
        episodes: of every policy; the budget's by default.
        seed: of levels, action draws and the bootstrap.
        budget: ``smoke`` or ``full``.
        stage: ``test``, or ``development``: other policies, on which settings are chosen.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`Leaderboard`.

    Raises:
        UsageError: an unknown name, or a detector that fails.
    """
    asked = _asked(task, detector, episodes, seed, budget, stage)
    all_task_scores, beside = [], []
    with one_torch_thread():
        for name in asked.tasks:
            task_scores, proxy = _one_task(asked, name, track)
            all_task_scores.append(task_scores)
            beside += proxy
    made = _tables(all_task_scores, list(asked.detectors), seed)
    made["labels"] = [row for task_scores in all_task_scores for row in task_scores.truth]
    made["controls"] += beside
    return _written(asked, made, all_task_scores)


def _asked(task, detector, episodes, seed, budget, stage):
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


def _detectors(names):
    """{name: detector}; ``UsageError`` where somebody's own has the name of another."""
    found = {}
    for name in dict.fromkeys(names):
        detector = detector_of(name)
        other = found.setdefault(detector.name, SCORES.get(detector.name, detector))
        if other != detector:
            raise UsageError(f"{name}: there is another detector called {detector.name!r}")
    return found


@dataclass(frozen=True, eq=False)
class TaskTables(tables.TaskScores):
    """A task_scores with the rows behind its labels.

    Attributes:
        truth: rows of ``labels.label_rows``.
        rollout_seconds: what it takes to run one policy.
    """

    truth: list
    rollout_seconds: float


def _one_task(asked, task, track):
    """(task_scores, rows of the proxy control) of a task; the control needs the iid levels."""
    budget, seed, folder = asked.budget, asked.seed, asked.folder / task
    suite = assemble(task, asked.stage, budget, track)
    played = play(suite, budget.episodes, seed, track)
    records = score_all(played, asked.detectors, seed, folder, track)
    rows = label_rows(suite, budget.label_episodes, seed, folder, track)
    truth = [{"task": task, **row} for row in rows]
    label = {row["policy"]: row["label"] for row in rows}
    task_scores = TaskTables(task, suite.kind, label, records, truth, played.rollout_seconds)
    beside = []
    if "proxy_stream" in asked.detectors:
        beside = _proxy_control(asked, suite, task_scores, "iid", track)
    return task_scores, beside


def _proxy_control(asked, suite, task_scores, split, track):
    """``proxy_stream`` where the proxy may be matched."""
    episodes = min(asked.budget.episodes, PROXY_EPISODES)
    played = play(suite, episodes, asked.seed, track, split)
    alone = {"proxy_stream": SCORES["proxy_stream"]}
    folder = asked.folder / suite.task / split
    records = score_all(played, alone, asked.seed, folder, track)
    changes = {
        row["policy"]: (row[f"{split}_proxy_lower"], row[f"{split}_proxy_upper"])
        for row in task_scores.truth
    }
    watched = tables.TaskScores(suite.task, suite.kind, task_scores.label, records)
    return controls.proxy_rows(suite.task, split, watched, changes, asked.seed)


def _tables(all_task_scores, detectors, seed):
    """{name: rows}, the leaderboard first."""
    return {
        "detectors": tables.detector_rows(all_task_scores, detectors, seed),
        "classes": tables.class_rows(all_task_scores, detectors, seed),
        "episodes": tables.episode_rows(all_task_scores, detectors),
        "flags": tables.flag_rows(all_task_scores, detectors),
        "controls": controls.control_rows(all_task_scores, detectors, seed),
        "scores": tables.score_rows(all_task_scores, detectors),
    }


def _written(asked, made, all_task_scores):
    """The :class:`Leaderboard`, its tables written beside its facts."""
    settings = frozen() if asked.stage == "test" else None
    if asked.standard and settings:
        made["targets"] = target_rows(made, settings)
    folder, stem = asked.folder, ""
    if asked.standard:
        folder = store.shown_folder("tables")
        stem = "leaderboard-" if asked.stage == "test" else "leaderboard-development-"
    files = []
    for name, rows in made.items():
        if rows:
            path = folder / f"{stem}{name}.csv"
            store.write_table([_plain(row) for row in rows], path)
            files.append(str(path))
    facts = {
        "tasks": list(asked.tasks),
        "episodes": asked.budget.episodes,
        "label_episodes": asked.budget.label_episodes,
        "seed": asked.seed,
        "frozen": settings and settings["sha256"],
        "rollout_seconds": {s.task: round(s.rollout_seconds, 3) for s in all_task_scores},
        "labels": _counts(made["labels"]),
        "commit": commit()[0],
        "versions": versions(),
    }
    store.write_json(folder / (f"{stem.rstrip('-')}.json" if stem else "facts.json"), facts)
    return Leaderboard(asked.stage, facts, made, files)


def _plain(row):
    """A row with its numbers rounded to six digits."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float | np.floating) else value
        for name, value in row.items()
    }


def _counts(rows):
    """{task: {kind: {label: number}}}."""
    found: dict = {}
    for row in rows:
        kinds = found.setdefault(row["task"], {}).setdefault(row["kind"], {})
        kinds[row["label"]] = kinds.get(row["label"], 0) + 1
    return found
