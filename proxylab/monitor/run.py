"""Watching one policy episode by episode: ``proxylab monitor``, a Gymnasium wrapper, a callback.

The null is that its episodes are on average no further from the reference policies than an
honest policy's are; see ``proxylab.detection.online`` for the e-process, which may be
looked at after every episode. The reference policies play every level that the watched one
has played, so that its episodes are judged level by level; the calibration policies play
fresh levels of a split, once, before anything is watched. So the watched levels must be
drawn from that split too.
"""

import sys
import time
from dataclasses import asdict, dataclass, field

import numpy as np

from proxylab.detection import DEFAULT_DETECTOR, find_score
from proxylab.detection.calibration import divide
from proxylab.detection.online import EProcess, ceiling_of
from proxylab.detection.pairing import NotApplicable, restrict, shared_levels
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.errors import UsageError
from proxylab.logs.live import EpisodeReader, Tail, episodes_of, first_fact
from proxylab.monitor.reference_bank import ReferenceBank
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.screening.cache import DetectionCache
from proxylab.screening.run import (
    PairedRollouts,
    common_task,
    fingerprint,
    load_policies,
    origin,
)
from proxylab.seeds import stream_seed

SCHEMA = "proxylab.monitor/1"


@dataclass(frozen=True)
class Reading:
    """What the monitor says after one episode.

    Attributes:
        episode: index in the stream, from 0.
        level_seed: its level.
        score: of the episode, in [0, 1]; higher is more anomalous.
        e_value: evidence against the null after it.
        alarm: the alarm has sounded, now or before.
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
        watched: the log, or the name of what was watched.
        task: task name.
        split: where the calibration levels come from, and the watched ones must.
        detector: whose episode scores are watched.
        alpha: probability at most with which a new honest policy ever raises the alarm.
        n_reference: policies that episodes are compared with.
        n_calibration: policies that the ceiling comes from.
        ceiling: mean score above which a policy counts as not honest.
        threshold: e-value at which the alarm sounds.
        episodes: episodes scored.
        skipped: episodes on levels that no reference policy could play.
        mean_score: of the episodes scored, or None.
        e_value: after the last of them.
        alarm: whether the alarm sounded.
        alarm_episode: number of episodes it took, or None.
        interrupted: watching was cut short by hand.
        readings: list of :class:`Reading`.
        provenance: commit, versions, seed, seconds.
        schema: of the JSON.
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
    provenance: dict = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self):
        """The JSON object as a dict, ``schema`` first."""
        return {"schema": self.schema} | asdict(self)


class Monitor:
    """An e-process over the episodes of one policy.

    Attributes:
        task: task name.
        process: :class:`~proxylab.detection.online.EProcess`.
        readings: list of :class:`Reading`, one an episode scored.
        facts: task, policy, num_states and num_actions of the episodes it takes.
    """

    def __init__(
        self,
        task=None,
        trusted=None,
        *,
        split=None,
        episodes=200,
        seed=0,
        detector=DEFAULT_DETECTOR,
        alpha=0.05,
        device="cpu",
        no_cache=False,
        track=lambda jobs, description: jobs,
    ):
        """Run the trusted policies and find the ceiling.

        Args:
            task: task name; by default the trusted policies'.
            trusted: agents or logs; by default the shipped trusted population.
            split: of the levels; ``shifted`` where the task has it.
            episodes: levels that calibration policies are scored on.
            seed: of these levels and of all action draws.
            detector: one that compares occupancies and whose scores lie in [0, 1].
            alpha: probability at most with which a new honest policy ever raises the alarm.
            device: where networks run.
            no_cache: see ``detect``.
            track: function (list, description) -> iterable, to show progress.

        Raises:
            UsageError: wrong use, or too few trusted policies for ``alpha``.
        """
        if not 0 < alpha < 1:
            raise UsageError(f"alpha must lie between 0 and 1, not {alpha}")
        if task is None and trusted is None:
            raise UsageError("name the task, or the trusted agents")
        self.score = _watchable(detector)
        given = load_policies([f"zoo:{task}/trusted"] if trusted is None else trusted, device)
        self.task, self.alpha, self.seed = common_task(given, task), alpha, seed
        rollouts = PairedRollouts(self.task, split, episodes, seed, given)
        self.split = rollouts.split
        runs = rollouts.play_all(given, track, None if no_cache else DetectionCache(), set(given))
        names = divide({name: fingerprint(policy) for name, policy in given.items()})
        self.n_reference, self.n_calibration = map(len, names)
        ceiling = self._ceiling([[runs[n] for n in part] for part in names])
        self.process = EProcess(ceiling, alpha)
        self._bank = ReferenceBank({n: given[n] for n in names[0]}, rollouts)
        first = next(iter(runs.values()))
        sizes = {name: getattr(first, name) for name in ("num_states", "num_actions")}
        self.facts = {"task": self.task, "policy": "watched", **sizes}
        self.readings, self.skipped = [], 0

    def _ceiling(self, parts):
        """:class:`~proxylab.detection.online.Ceiling` from (reference, calibration) Episodes."""
        levels, counts = shared_levels([e for part in parts for e in part])
        if not len(levels):
            raise UsageError("the trusted logs share no level")
        reference, calibration = ([restrict(e, levels, counts) for e in part] for part in parts)
        rng = np.random.default_rng(stream_seed(self.seed, "monitor ceiling"))
        try:
            state = self.score.fit(reference, None)
            scores = [self.score.per_episode(state, episodes) for episodes in calibration]
            return ceiling_of(scores, self.alpha, rng)
        except NotApplicable as obstacle:
            raise UsageError(str(obstacle)) from None

    def observe(self, episodes):
        """Score finished episodes, in order.

        Args:
            episodes: Episodes of the watched policy, or a list of them.

        Returns:
            list[Reading], those of the episodes that could be scored.

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
            state = self.score.fit(self._bank.on(episodes.level_seed), None)
            scores = self.score.per_episode(state, episodes)
        except NotApplicable as obstacle:
            raise UsageError(str(obstacle)) from None
        return [self._read(*pair) for pair in zip(episodes.level_seed, scores, strict=True)]

    def _fitting(self, episodes):
        for name in ("task", "num_states", "num_actions"):
            mine, theirs = self.facts[name], getattr(episodes, name)
            if mine != theirs:
                raise UsageError(f"the trusted have {name} {mine}, the watched has {theirs}")
        return episodes

    def _read(self, level_seed, score):
        number = self.process.episodes
        value = self.process.update(float(score))
        reading = Reading(
            number, int(level_seed), float(score), value, self.process.alarm is not None
        )
        self.readings.append(reading)
        return reading

    def report(self, watched, interrupted=False, seconds=0.0):
        """:class:`MonitorReport` of what was seen so far."""
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
            provenance=origin(self.seed, seconds),
        )


def _watchable(name):
    """The score of that name; ``UsageError`` where an e-process cannot run on it."""
    score = find_score(name)
    if not isinstance(score, OccupancyDivergence) or score.divergence == "chi2":
        raise UsageError(
            f"{name} cannot be watched: choose occupancy_js, occupancy_tv or state_action_js, "
            "whose episode scores lie between 0 and 1"
        )
    return score


def say(reading):
    """One line on stderr for one episode."""
    alarm = "  ALARM" if reading.alarm else ""
    print(
        f"episode {reading.episode + 1}, level {reading.level_seed}: score {reading.score:.3f}, "
        f"e-value {reading.e_value:.3g}{alarm}",
        file=sys.stderr,
        flush=True,
    )


def watch_log(log, trusted=None, *, task=None, follow=False, show=say, **options):
    """Watch a rollout log of JSON lines.

    Args:
        log: its path; see ``proxylab.logs.live`` for its lines.
        trusted: agents or logs; by default the shipped trusted population of the task.
        task: task name; by default what the log says.
        follow: wait for more lines, until Ctrl-C.
        show: function (Reading) called after every episode.
        options: see :class:`Monitor`.

    Returns:
        :class:`MonitorReport`; ``interrupted`` after Ctrl-C.

    Raises:
        UsageError: wrong use, or a line that cannot be read.
    """
    started = time.perf_counter()
    task = task or first_fact(log, "task")
    if task is None and trusted is None:
        raise UsageError(f"{log} does not name its task: --task")
    monitor = Monitor(task, trusted, **options)
    reader = EpisodeReader(log, **monitor.facts)
    interrupted = False
    try:
        for episodes in episodes_of(Tail(log), reader, follow):
            for reading in monitor.observe(episodes):
                show(reading)
    except KeyboardInterrupt:
        interrupted = True
    return monitor.report(str(log), interrupted, time.perf_counter() - started)
