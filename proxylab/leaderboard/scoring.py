"""Every suspect scored by every detector, from Episodes alone; no label and no true reward."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.registry import ON_REQUEST
from proxylab.errors import UsageError
from proxylab.leaderboard.cache import cached, detector_digest
from proxylab.seeds import stream_seed

SIZES = (2, 5, 10, 20, 50, 100)
"""Numbers of episodes beside the full one at which quick detectors are scored too."""


def score_all(played, detectors, seed, folder, track):
    """{detector: record} of a task, each kept on disk when it is done.

    A record has ``access``, ``obstacle`` (why the detector does not apply, or None),
    ``scores`` ({number of episodes: {policy: score, or None where undefined}}),
    ``fit_seconds``, ``seconds`` (median of one score over a suspect of each kind) and ``megabytes``
    (most that Python and numpy hold while fitting and scoring one suspect; torch's own
    memory is not seen).

    Args:
        played: a ``suite.SuiteRollouts``.
        detectors: {name: detector}.
        seed: of detectors that draw.
        folder: where records are kept.
        track: function (list, description) -> iterable, to show progress.
    """
    episodes = next(iter(played.runs.values())).num_episodes
    given = [played.suite.fingerprints, played.suite.kind, episodes, seed, played.split]
    found = {}
    for name in track(list(detectors), f"{played.suite.task}: scoring"):
        detector = detectors[name]
        sizes = [n for n in SIZES if n < episodes and name not in ON_REQUEST] + [episodes]
        facts = [*given, sizes, name, detector_digest(detector)]
        path = folder / "scores" / f"{_file_name(name)}.json"
        found[name] = cached(path, facts, lambda d=detector, s=sizes: _record(played, d, s, seed))
    return found


def _file_name(detector):
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in detector)


def _record(played, detector, sizes, seed):
    record = {"access": detector.access, "obstacle": None, "scores": {}}
    try:
        for size in sizes:
            record["scores"][str(size)] = _scores(played, detector, size, seed)
        record |= _costs(played, detector, seed)
    except NotApplicable as obstacle:
        record |= {"obstacle": str(obstacle), "scores": {}}
    except UsageError:
        raise
    except Exception as error:  # a detector from elsewhere may raise anything
        if type(detector).__module__.startswith("proxylab."):
            raise
        kind, name, task = type(error).__name__, detector.name, played.suite.task
        raise UsageError(f"the detector {name} failed on {task}: {kind}: {error}") from None
    return record


def _scores(played, detector, size, seed):
    """{policy: score or None} with the first ``size`` episodes of everybody."""
    state = detector.fit(played.group("reference", size), played.view)
    scores = {}
    for name in [*played.suite.names("calibration"), *played.suite.suspects]:
        rng = _stream(seed, detector, name)
        score = float(detector.score(state, played.first(name, size), rng))
        scores[name] = None if np.isnan(score) else score
    return scores


def _costs(played, detector, seed):
    """Seconds and megabytes with all episodes; suspects are copies that no detector has seen."""
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


def _stream(seed, detector, policy):
    return np.random.default_rng(stream_seed(seed, f"leaderboard {detector.name} {policy}"))


def _peak(played, detector, reference, name, seed):
    """Most megabytes held while fitting and scoring one suspect."""
    suspect = replace(played.runs[name])
    tracemalloc.start()
    try:
        state = detector.fit(reference, played.view)
        detector.score(state, suspect, _stream(seed, detector, name))
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
