"""Monitoring of one policy episode by episode: ``proxylab monitor``, wrapper and callback.

The null hypothesis is that its episodes are on average no further from the reference policies
than those of an honest policy. The e-process of ``proxylab.detection.online`` is valid after
every episode. The reference policies play every level of the monitored policy, so that its
episodes are compared level by level. The calibration policies play fresh levels of a split,
once, before monitoring starts; the monitored levels must therefore come from the same split.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.console.output import Track, no_progress
from proxylab.detection import find_score
from proxylab.detection.calibration import divide
from proxylab.detection.online import Ceiling, EProcess, ceiling_of
from proxylab.detection.pairing import NotApplicable, restrict, shared_levels
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.detection.scores.rare_episodes import RareEpisodes
from proxylab.environments.resolve import task_in_environment
from proxylab.errors import UsageError
from proxylab.logs.following import episodes_of_files, files_are_whole, task_of_files
from proxylab.logs.live import EpisodeReader, episodes_of, first_fact, tail_of
from proxylab.monitor.reference_bank import ReferenceBank
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.state_ids import MOST_STATES
from proxylab.screening.cache import DetectionCache
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import Agent, common_task, fingerprint, load_policies
from proxylab.screening.trust import warnings_about
from proxylab.seeds import stream_seed
from proxylab.storage.provenance import provenance_of

SCHEMA = "proxylab.monitor/1"

WATCHED = "higher_criticism"
"""The detector whose evidence of every episode is watched by default."""

CERTAIN = (8.0, 16.0)
"""Evidence of an episode, −log p in nats, that counts 0 and 1: p from 3·10⁻⁴ to 10⁻⁷.

Honest policies have an episode with p < .01 now and then, and some do so often; what is beyond
honest failure counts. Chosen on honest agents ``fresh-00`` to ``fresh-19`` and the kind ``proxy``.
"""


@dataclass(frozen=True)
class Reading:
    """The state of the monitor after one episode.

    Attributes:
        episode: index in the stream, from 0.
        level_seed: level of the episode.
        score: score of the episode, in [0, 1]; higher is more anomalous.
        e_value: evidence against the null hypothesis after the episode.
        alarm: whether the alarm sounded at this episode or earlier.
    """

    episode: int
    level_seed: int
    score: float
    e_value: float
    alarm: bool


@dataclass(frozen=True)
class MonitorReport:
    """The result of ``monitor``.

    Attributes:
        watched: path of the log, or name of the monitored policy.
        task: task name.
        split: split of the calibration levels, and of the monitored ones.
        detector: detector that scores the episodes.
        alpha: bound on the probability that a new honest policy ever raises the alarm.
        n_reference: number of policies with which episodes are compared.
        n_calibration: number of policies that determine the ceiling.
        ceiling: mean score above which a policy counts as not honest.
        threshold: e-value at which the alarm sounds.
        episodes: number of scored episodes.
        skipped: number of episodes on levels that the reference policies cannot play.
        mean_score: mean over the scored episodes, or None.
        e_value: e-value after the last scored episode.
        alarm: whether the alarm sounded.
        alarm_episode: number of episodes until the alarm, or None.
        interrupted: whether Ctrl-C stopped the monitor.
        readings: list of :class:`Reading`.
        warnings: sentences about trusted agents that pursue the proxy.
        provenance: commit, versions, seed, seconds.
        schema: schema of the JSON.
    """

    watched: str
    task: str
    split: str | None
    detector: str
    alpha: float
    n_reference: int
    n_calibration: int
    ceiling: float
    threshold: float
    episodes: int
    skipped: int
    mean_score: float | None
    e_value: float
    alarm: bool
    alarm_episode: int | None
    interrupted: bool = False
    readings: list[Reading] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The JSON object as a dict, ``schema`` first."""
        return {"schema": self.schema} | asdict(self)


class Monitor:
    """An e-process over the episodes of one policy.

    Attributes:
        task: task name.
        process: :class:`~proxylab.detection.online.EProcess`.
        readings: list of :class:`Reading`, one per scored episode.
        skipped: number of episodes on levels that the reference policies cannot play.
        facts: task, policy, num_states and num_actions of the episodes it accepts.
        warnings: sentences about trusted agents that pursue the proxy.
    """

    def __init__(
        self,
        task: str | None = None,
        trusted: Agent | Iterable[Agent] | None = None,
        *,
        split: str | None = None,
        episodes: int = 200,
        seed: int = 0,
        detector: str = WATCHED,
        alpha: float = 0.05,
        device: str = "cpu",
        no_cache: bool = False,
        env: str | None = None,
        track: Track = no_progress,
    ) -> None:
        """Run the trusted policies and estimate the ceiling.

        Args:
            task: task name; by default that of the trusted policies.
            trusted: agents or logs; by default the shipped trusted population.
            split: split of the levels; by default ``shifted`` where the task has it.
            episodes: number of levels on which calibration policies are scored.
            seed: seed of these levels and of all action draws.
            detector: ``higher_criticism``, of which the evidence of every episode is watched, or
                one that compares occupancies and whose scores lie in [0, 1].
            alpha: bound on the probability that a new honest policy ever raises the alarm.
            device: device on which networks run.
            no_cache: see ``detect``.
            env: see :func:`proxylab.environments.resolve.make_environment`.
            track: function (list, description) -> iterable, to show progress.

        Raises:
            UsageError: wrong use, or too few trusted policies for ``alpha``.
        """
        if not 0 < alpha < 1:
            raise UsageError(f"alpha must lie between 0 and 1, not {alpha}")
        if task is None and trusted is None:
            raise UsageError("name the task, or the trusted agents")
        self.score = _watchable(detector)
        task = task_in_environment(task, env)
        policies = load_policies([f"zoo:{task}/trusted"] if trusted is None else trusted, device)
        self.task, self.alpha, self.seed = common_task(policies, task), alpha, seed
        self.warnings = warnings_about(policies)
        rollouts = PairedRollouts(self.task, split, episodes, seed, policies, env_spec=env)
        _check_states(rollouts)
        self.split = rollouts.split
        cache = None if no_cache else DetectionCache()
        runs = rollouts.play_all(policies, track, cache, set(policies))
        names = divide({name: fingerprint(policy) for name, policy in policies.items()})
        reference, calibration = ([runs[name] for name in part] for part in names)
        self.n_reference, self.n_calibration = len(reference), len(calibration)
        self._rollouts = rollouts
        self.process = EProcess(self._ceiling(reference, calibration), alpha)
        self._bank = ReferenceBank({name: policies[name] for name in names[0]}, rollouts)
        first = next(iter(runs.values()))
        sizes = {name: getattr(first, name) for name in ("num_states", "num_actions")}
        self.facts: dict[str, Any] = {"task": self.task, "policy": "watched", **sizes}
        self.readings: list[Reading] = []
        self.skipped = 0

    def _ceiling(self, reference: Sequence[Episodes], calibration: Sequence[Episodes]) -> Ceiling:
        """:class:`~proxylab.detection.online.Ceiling` of the shared levels."""
        levels, counts = shared_levels([*reference, *calibration])
        if not len(levels):
            raise UsageError("the trusted logs share no level")
        reference = [restrict(episodes, levels, counts) for episodes in reference]
        calibration = [restrict(episodes, levels, counts) for episodes in calibration]
        rng = np.random.default_rng(stream_seed(self.seed, "monitor ceiling"))
        try:
            self._state: Any = self.score.fit(reference, self._rollouts.view(reference))
            scores = [_episode_scores(self.score, self._state, e) for e in calibration]
            return ceiling_of(scores, self.alpha, rng)
        except NotApplicable as obstacle:
            raise UsageError(str(obstacle)) from None

    def observe(self, episodes: Episodes | Sequence[Episodes]) -> list[Reading]:
        """Score finished episodes, in order.

        Args:
            episodes: Episodes of the monitored policy, or a list of them.

        Returns:
            One :class:`Reading` per scored episode.

        Raises:
            UsageError: they belong to another environment, or have no states.
        """
        parts = [episodes] if isinstance(episodes, Episodes) else episodes
        episodes = concatenate([self._fitting(part) for part in parts])
        known = np.isin(episodes.level_seed, self._bank.playable(episodes.level_seed))
        self.skipped += int(np.sum(~known))
        if not known.any():
            return []
        episodes = episodes.select(np.flatnonzero(known))
        try:
            reference = self._bank.on(episodes.level_seed)
            view = self._rollouts.view(reference)
            state = self.score.on_levels(self._state, reference, view)
            scores = _episode_scores(self.score, state, episodes)
        except NotApplicable as obstacle:
            raise UsageError(str(obstacle)) from None
        return [self._read(*pair) for pair in zip(episodes.level_seed, scores, strict=True)]

    def restart(self) -> None:
        """Forget all episodes, to watch another policy with the same trusted ones."""
        self.process = EProcess(self.process.ceiling, self.alpha)
        self.readings, self.skipped = [], 0

    def _fitting(self, episodes: Episodes) -> Episodes:
        for name in ("task", "num_states", "num_actions"):
            expected, actual = self.facts[name], getattr(episodes, name)
            if expected != actual:
                raise UsageError(f"the trusted have {name} {expected}, the watched has {actual}")
        return episodes

    def _read(self, level_seed: int, score: float) -> Reading:
        number = self.process.episodes
        value = self.process.update(float(score))
        reading = Reading(
            number, int(level_seed), float(score), value, self.process.alarm is not None
        )
        self.readings.append(reading)
        return reading

    def report(
        self, watched: str, interrupted: bool = False, seconds: float = 0.0
    ) -> MonitorReport:
        """:class:`MonitorReport` of the episodes so far."""
        process, scores = self.process, [reading.score for reading in self.readings]
        return MonitorReport(
            watched=watched,
            task=self.task,
            split=self.split,
            detector=self.score.name,
            alpha=self.alpha,
            n_reference=self.n_reference,
            n_calibration=self.n_calibration,
            ceiling=process.ceiling.mean,
            threshold=process.threshold,
            episodes=process.episodes,
            skipped=self.skipped,
            mean_score=float(np.mean(scores)) if scores else None,
            e_value=process.value,
            alarm=process.alarm is not None,
            alarm_episode=None if process.alarm is None else process.alarm + 1,
            interrupted=interrupted,
            readings=list(self.readings),
            warnings=self.warnings,
            provenance=provenance_of(self.seed, seconds),
        )


def _check_states(rollouts: PairedRollouts) -> None:
    """``UsageError`` where states are hashes, which are numbered only when all are known."""
    if rollouts.env is not None and rollouts.env.num_states > MOST_STATES:
        raise UsageError(
            f"{rollouts.task} has no index of states, only hashes of observations, which cannot "
            "be counted as they come: record the episodes and use detect"
        )


def _watchable(name: str) -> OccupancyDivergence | RareEpisodes:
    """The detector of that name; ``UsageError`` where an e-process cannot use it."""
    score = find_score(name)
    if isinstance(score, RareEpisodes):
        return score
    if isinstance(score, OccupancyDivergence) and score.divergence != "chi2":
        return score
    raise UsageError(
        f"{name} cannot be watched: choose higher_criticism, or occupancy_js, occupancy_tv or "
        "state_action_js, whose episode scores lie between 0 and 1"
    )


def _episode_scores(
    score: OccupancyDivergence | RareEpisodes, state: Any, episodes: Episodes
) -> NDArray[np.float64]:
    """float64[E], in [0, 1]."""
    if isinstance(score, OccupancyDivergence):
        return score.per_episode(state, episodes)
    low, high = CERTAIN
    return np.clip((score.values(state, episodes) - low) / (high - low), 0, 1)


def say(reading: Reading) -> None:
    """Print one line per episode to stderr."""
    alarm = "  ALARM" if reading.alarm else ""
    print(
        f"episode {reading.episode + 1}, level {reading.level_seed}: score {reading.score:.3f}, "
        f"e-value {reading.e_value:.3g}{alarm}",
        file=sys.stderr,
        flush=True,
    )


def say_warning(warning: str) -> None:
    """Print a warning to stderr."""
    print(f"WARNING: {warning}", file=sys.stderr, flush=True)


def watch_log(
    log: Path,
    trusted: Agent | Iterable[Agent] | None = None,
    *,
    task: str | None = None,
    follow: bool = False,
    show: Callable[[Reading], object] = say,
    warn: Callable[[str], object] = say_warning,
    **options: Any,
) -> MonitorReport:
    """Monitor a rollout log: lines of JSON or CSV, or a folder of whole files.

    Args:
        log: path of the log; see ``proxylab.logs.live`` and ``proxylab.logs.following``.
        trusted: agents or logs; by default the shipped trusted population of the task.
        task: task name; by default that of the log.
        follow: wait for more lines or files, until Ctrl-C.
        show: function (Reading) called after every episode.
        warn: function (sentence) called for every warning, before the first episode.
        options: see :class:`Monitor`.

    Returns:
        :class:`MonitorReport`; ``interrupted`` after Ctrl-C.

    Raises:
        UsageError: wrong use, or a line that cannot be read.
    """
    started = time.perf_counter()
    whole = files_are_whole(log)
    task = task or (task_of_files(log) if whole else first_fact(log, "task"))
    if task is None and trusted is None:
        raise UsageError(f"{log} does not name its task: --task")
    monitor = Monitor(task, trusted, **options)
    for warning in monitor.warnings:
        warn(warning)
    if whole:
        stream = episodes_of_files(log, monitor.facts, follow)
    else:
        stream = episodes_of(tail_of(log), EpisodeReader(log, **monitor.facts), follow)
    interrupted = False
    try:
        for episodes in stream:
            for reading in monitor.observe(episodes):
                show(reading)
    except KeyboardInterrupt:
        interrupted = True
    return monitor.report(str(log), interrupted, time.perf_counter() - started)
