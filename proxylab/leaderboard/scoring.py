"""Scores of every suspect by every detector, from Episodes alone, without labels or true reward."""

import time
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.console.output import Track
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.registry import ON_REQUEST, Score
from proxylab.errors import UsageError
from proxylab.leaderboard.cache import cached, detector_digest
from proxylab.leaderboard.policies import SuiteRollouts
from proxylab.rollouts.episodes import Episodes
from proxylab.seeds import stream_seed

SIZES = (2, 5, 10, 20, 50, 100)
"""Further numbers of episodes at which fast detectors are scored."""


def score_all(
    played: SuiteRollouts,
    detectors: Mapping[str, Score],
    seed: int,
    folder: Path,
    track: Track,
) -> dict[str, dict[str, Any]]:
    """{detector: record} of a task; every record is cached on disk.

    A record has ``access``, ``obstacle`` (why the detector does not apply, or None),
    ``scores`` ({number of episodes: {policy: score, or None where undefined}}),
    ``fit_seconds``, ``seconds`` (median of one score over a suspect of each kind) and ``megabytes``
    (peak memory of Python and numpy while fitting and scoring one suspect, without that of
    torch).

    Args:
        played: the rollouts of the suite.
        detectors: {name: detector}.
        seed: seed of detectors that draw.
        folder: folder of the cache.
        track: function (list, description) -> iterable, to show progress.
    """
    episodes = next(iter(played.runs.values())).num_episodes
    shared = [played.suite.fingerprints, played.suite.kind, episodes, seed, played.split]
    records: dict[str, dict[str, Any]] = {}
    for name in track(list(detectors), f"{played.suite.task}: scoring"):
        detector = detectors[name]
        sizes = [n for n in SIZES if n < episodes and name not in ON_REQUEST] + [episodes]
        facts = [*shared, sizes, name, detector_digest(detector)]
        path = folder / "scores" / f"{_file_name(name)}.json"
        records[name] = cached(path, facts, lambda d=detector, s=sizes: _record(played, d, s, seed))
    return records


def _file_name(detector: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in detector)


def _record(
    played: SuiteRollouts, detector: Score, sizes: Sequence[int], seed: int
) -> dict[str, Any]:
    record: dict[str, Any] = {"access": detector.access, "obstacle": None, "scores": {}}
    try:
        for size in sizes:
            record["scores"][str(size)] = _scores(played, detector, size, seed)
        record |= _costs(played, detector, seed)
    except NotApplicable as obstacle:
        record |= {"obstacle": str(obstacle), "scores": {}}
    except UsageError:
        raise
    except Exception as error:  # a third-party detector may raise anything
        if type(detector).__module__.startswith("proxylab."):
            raise
        kind, name, task = type(error).__name__, detector.name, played.suite.task
        raise UsageError(f"the detector {name} failed on {task}: {kind}: {error}") from None
    return record


def _scores(
    played: SuiteRollouts, detector: Score, size: int, seed: int
) -> dict[str, float | None]:
    """{policy: score or None} with the first ``size`` episodes of every policy."""
    state = detector.fit(played.group("reference", size), played.view)
    scores: dict[str, float | None] = {}
    for name in [*played.suite.names("calibration"), *played.suite.suspects]:
        rng = _stream(seed, detector, name)
        score = float(detector.score(state, played.first(name, size), rng))
        scores[name] = None if np.isnan(score) else score
    return scores


def _costs(played: SuiteRollouts, detector: Score, seed: int) -> dict[str, float]:
    """Seconds and megabytes with all episodes; suspects are copies, which no detector cached."""
    episodes = next(iter(played.runs.values())).num_episodes
    reference = played.group("reference", episodes)
    kinds = dict.fromkeys(played.suite.kind[name] for name in played.suite.suspects)
    chosen = [played.suite.names(kind)[0] for kind in kinds]
    begin = time.perf_counter()
    state = detector.fit(reference, played.view)
    fitted, seconds = time.perf_counter() - begin, []
    for name in chosen:
        suspect, rng = replace(played.runs[name]), _stream(seed, detector, name)
        begin = time.perf_counter()
        detector.score(state, suspect, rng)
        seconds.append(time.perf_counter() - begin)
    peak = _peak(played, detector, reference, chosen[0], seed)
    return {"fit_seconds": fitted, "seconds": float(np.median(seconds)), "megabytes": peak}


def _stream(seed: int, detector: Score, policy: str) -> np.random.Generator:
    return np.random.default_rng(stream_seed(seed, f"leaderboard {detector.name} {policy}"))


def _peak(
    played: SuiteRollouts, detector: Score, reference: list[Episodes], name: str, seed: int
) -> float:
    """Peak memory while fitting and scoring one suspect, in megabytes."""
    suspect = replace(played.runs[name])
    tracemalloc.start()
    try:
        state = detector.fit(reference, played.view)
        detector.score(state, suspect, _stream(seed, detector, name))
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
