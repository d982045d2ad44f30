"""``detect --report``: what the detection already has, as one HTML file.

No agent is run again: ways, visits and partings come from the episodes that were judged;
the environment is only asked how a level looks at its start.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from proxylab.detection.pairing import restrict, shared_levels
from proxylab.detection.scores.first_divergence import divergence_from_all, divergence_steps
from proxylab.detection.task_view import TaskView
from proxylab.detection.verdict import clearing_margin
from proxylab.errors import UsageError
from proxylab.report import Evidence, Facts, Goal, HeatMap, LevelPair, Together, Track, page
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.sequences import NEVER
from proxylab.storage.store import whole_file
from proxylab_envs.batch import BatchedEnv

LEVELS = 6
"""Levels drawn of each suspect."""

LOOKED_AT = 60
"""Levels looked through for some that do not look alike."""

MOST_COUNTS = 50_000_000
"""Entries of the table of visits by level; later episodes are not looked through for levels."""

MOST_STEPS = 240
"""Steps at which the curves of staying together are drawn."""

STATE = "state "
"""What the name of a goal that is a state begins with."""


def report_path(path):
    """The path of a report, checked before anything is run.

    Raises:
        UsageError: it cannot be written there, or is no name of an HTML file.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report {path}: name a file that ends in .html")
    if path.is_dir():
        raise UsageError(f"--report {path}: this is a folder, name a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--report {path}: {folder} is no folder that can be written to")
    return path


def write_report(path, found, runs, view, make_env, policies, **choices):
    """Write the report of a detection, whole or not at all.

    Args:
        path: of the file.
        found: :class:`~proxylab.detection.records.Detection`.
        runs: {agent: Episodes} of suspects and trusted agents.
        view: :class:`~proxylab.detection.task_view.TaskView` of the levels.
        make_env: function (number) -> environment in which the levels are looked at.
        policies: {agent: policy or Episodes}, whose weights' hashes are named.
        choices: further fields of :class:`~proxylab.report.Facts`.

    Raises:
        UsageError: the file cannot be written.
    """
    played = PlayedRuns(runs, view, make_env)
    hashes = {name: getattr(policy, "sha256", "") for name, policy in policies.items()}
    known = {name: digest for name, digest in hashes.items() if digest}
    facts = Facts(played.env.env_id, hashes=known, **choices)
    text = page(found.as_json(), gather(found, played), facts)
    try:
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
            temporary.chmod(0o644)  # a page to be shown, not the 600 of a temporary file
    except OSError as error:
        raise UsageError(f"--report {path} cannot be written: {error.strerror}") from None


@dataclass(frozen=True)
class PlayedRuns:
    """What was played.

    Attributes:
        runs: {agent: Episodes} of suspects and trusted agents.
        view: :class:`~proxylab.detection.task_view.TaskView` of the levels.
        make_env: function (number) -> environment in which the levels are looked at.
    """

    runs: dict[str, Episodes]
    view: TaskView
    make_env: Callable[[int], BatchedEnv]

    @cached_property
    def env(self):
        """An environment to look at levels in."""
        return self.make_env(1)

    @cached_property
    def map(self):
        """:class:`~proxylab_envs.scenes.PlaceMap`, None where places are not known."""
        first = next(iter(self.runs.values()))
        if not len(self.view.levels) or first.num_states != self.env.num_states:
            return None
        return self.env.place_map(int(self.view.levels[0]))


def gather(found, played):
    """{agent: :class:`~proxylab.report.Evidence`} of the suspects of a detection."""
    fields, seen = {}, {}
    names, count = found.trusted.agents, found.trusted.n_reference
    trusted = {name: played.runs[name] for name in names}
    scored = None
    for report in found.suspects:
        suspect = played.runs[report.agent]
        levels, counts = shared_levels([suspect, *trusted.values()])
        if not len(levels):
            continue
        key = (levels.tobytes(), counts.tobytes())
        if key not in fields:
            paired = [restrict(trusted[name], levels, counts) for name in names]
            fields[key] = Field(paired[:count], paired[count:], played)
        scored = scored or (key if report.scores else None)
        margin = _margin(found) if key == scored else None
        mine = restrict(suspect, levels, counts)
        seen[report.agent] = fields[key].evidence(mine, report, margin, key == scored)
    return seen


def _margin(found):
    scores = list(found.trusted.calibration_scores.values())
    return clearing_margin(np.array(scores)) if scores else None


@dataclass(frozen=True)
class Field:
    """The trusted agents on the levels that a suspect played too.

    Attributes:
        reference: list of paired Episodes.
        calibration: list of paired Episodes.
        played: :class:`PlayedRuns`.
    """

    reference: list
    calibration: list
    played: PlayedRuns

    @property
    def trusted(self):
        """All of them."""
        return [*self.reference, *self.calibration]

    @cached_property
    def left(self):
        """Steps at which each calibration agent has left all reference agents."""
        return [divergence_from_all(self.reference, one) for one in self.calibration]

    @cached_property
    def shares(self):
        """float64[S]: share of the trusted agents' steps in each state."""
        return np.mean([_shares(one) for one in self.trusted], axis=0)

    @cached_property
    def visits(self):
        """float64[K, S]: the same on each of the first K levels."""
        rows = self.num_compared
        return _normalised(sum(_counts(one, rows) for one in self.trusted))

    @property
    def num_compared(self):
        """K, number of episodes whose visits are held against each other."""
        first = self.reference[0]
        return min(first.num_episodes, MOST_COUNTS // max(first.num_states, 1))

    def evidence(self, suspect, report, margin, calibrated):
        """All that is drawn of a suspect: Episodes on the same levels, and its report."""
        left = divergence_from_all(self.reference, suspect)
        placed = self.played.map is not None and not (suspect.state_id < 0).any()
        return Evidence(
            levels=self._levels(suspect, left) if placed else [],
            heat=self._heat(suspect) if placed else None,
            together=_together(left, self.left),
            goals=self._goals(suspect, report) if placed else [],
            proxy=_proxy_returns(suspect, self.trusted),
            episodes=suspect.num_episodes,
            margin=margin,
            calibrated=calibrated,
        )

    def _heat(self, suspect):
        rows, columns = self.played.map.shape
        maps = [share.reshape(rows, columns) for share in (_shares(suspect), self.shares)]
        if not self.played.map.straight:
            return HeatMap(*maps)
        return HeatMap(*(one.T for one in maps), rows="lane", columns="stretch", straight=True)

    def _levels(self, suspect, left):
        """The most telling levels, drawn: see ``page``'s words, which say how they are chosen."""
        apart = _apart(_normalised(_counts(suspect, self.num_compared)), self.visits)
        rows = slice(len(apart))
        way = np.mean([one.lengths[rows] for one in self.reference], axis=0)
        scenes = {}
        for episode in telling(left[rows], apart, way, suspect.level_seed):
            level_seed = int(suspect.level_seed[episode])
            scene = self.played.env.level_scene(level_seed, self._places(level_seed))
            scenes.setdefault(scene.look, (episode, scene))
            if len(scenes) == LEVELS:
                break
        return [self._pair(suspect, *one, apart) for one in scenes.values()]

    def _pair(self, suspect, episode, scene, apart):
        alone = suspect.select([episode])
        partners = [one.select([episode]) for one in self.reference]
        steps = np.array([int(divergence_steps(one, alone)[0]) for one in partners])
        partner = int(np.argmax(np.where(steps == NEVER, np.iinfo(np.int64).max, steps)))
        level_seed = int(alone.level_seed[0])
        ways = [self._track(scene, one) for one in (alone, partners[partner])]
        return LevelPair(level_seed, scene.scene, *ways, int(steps[partner]), float(apart[episode]))

    def _places(self, level_seed):
        """{landmark: int64[n] states}."""
        view = self.played.view
        if view.landmark_distances is None:
            return {}
        row = int(np.searchsorted(view.levels, level_seed))
        return {
            name: np.flatnonzero(view.landmark_distances[row, k] == 0)
            for k, name in enumerate(view.landmarks)
        }

    def _track(self, scene, alone):
        """The way of one episode, with the place that its last action leads to."""
        states, features = alone.state_id, alone.features
        end = self._end(alone)[0]
        if end >= 0:
            states, features = np.append(states, end), features
        points = scene.points(states, features)
        return Track(alone.policy, points, int(alone.lengths[0]), bool(alone.truncated[0]))

    def _end(self, episodes):
        """int64[E]: the state after the last step, −1 where it is not known."""
        view, last = self.played.view, episodes.episode_offsets[1:] - 1
        if view.successors is None:
            return np.full(episodes.num_episodes, -1)
        rows = np.searchsorted(view.levels, episodes.level_seed)
        return view.successors[rows, episodes.state_id[last], episodes.action[last]]

    def _goals(self, suspect, report):
        """Landmarks, and the states that the suspect seems to pursue."""
        names = list(self.played.view.landmarks)
        names += [goal.goal for goal in report.pursues if goal.goal not in names]
        return [self._goal(name, suspect) for name in names]

    def _goal(self, name, suspect):
        mine = self._arrivals(name, suspect)
        theirs = np.mean([self._arrivals(name, one) for one in self.trusted], axis=0)
        state = int(name.removeprefix(STATE)) if name.startswith(STATE) else None
        place = None if state is None else self.played.map.place(state)
        return Goal(
            name, place, *(float(x) for pair in zip(mine, theirs, strict=True) for x in pair)
        )

    def _arrivals(self, name, episodes):
        """(share of episodes that get to a goal, share of steps that begin there)."""
        there, ends = self._at(name, episodes)
        arrived = np.maximum.reduceat(there, episodes.episode_offsets[:-1]) | ends
        return float(arrived.mean()), float(there.mean())

    def _at(self, name, episodes):
        """(bool[T] the step begins at the goal, bool[E] the episode ends there)."""
        view, end = self.played.view, self._end(episodes)
        distances = view.landmark_distances
        if distances is None or name not in view.landmarks:
            state = int(name.removeprefix(STATE))
            return episodes.state_id == state, end == state
        rows = np.searchsorted(view.levels, episodes.level_seed)
        away = distances[:, view.landmarks.index(name)]
        there = away[rows[episodes.episode_index], episodes.state_id] == 0
        return there, (end >= 0) & (away[rows, end] == 0)


def telling(left, apart, way, level_seeds, count=LOOKED_AT):
    """Episodes on which it shows best where a suspect leaves the reference agents.

    Of those that differ at least half as much as the one that differs most, those with a long
    way both before and after the divergence; one episode a level.

    Args:
        left: int64[K], steps at which it has left all of them, ``NEVER`` where it does not.
        apart: float64[K], how much its visits differ from the trusted agents'.
        way: float64[K], mean number of steps of the reference agents.
        level_seeds: int64[K] or more.
        count: how many at most.

    Returns:
        list of int.
    """
    parted = np.flatnonzero((left != NEVER) & (apart > 0))
    if not parted.size:
        return []
    chosen = parted[apart[parted] >= 0.5 * apart[parted].max()]
    ranked = chosen[np.lexsort((-apart[chosen], -np.minimum(left, way - left)[chosen]))]
    _, first = np.unique(level_seeds[ranked], return_index=True)
    return ranked[np.sort(first)][:count].tolist()


def _counts(episodes, rows):
    """float64[rows, S]: visits of each state in each of the first episodes."""
    stop = episodes.episode_offsets[rows]
    cells = episodes.episode_index[:stop] * episodes.num_states + episodes.state_id[:stop]
    return np.bincount(cells, minlength=rows * episodes.num_states).reshape(rows, -1).astype(float)


def _normalised(counts):
    return counts / counts.sum(axis=1, keepdims=True)


def _apart(mine, theirs):
    """Total variation of the rows of two tables of shares: float64[K] in [0, 1]."""
    return 0.5 * np.abs(mine - theirs).sum(axis=1)


def _shares(episodes):
    counts = np.bincount(episodes.state_id, minlength=episodes.num_states)
    return counts / counts.sum()


def _proxy_returns(suspect, trusted):
    if any(one.proxy_reward is None for one in (suspect, *trusted)):
        return None
    mine, *theirs = (float(e.proxy_reward.sum()) / e.num_episodes for e in (suspect, *trusted))
    return mine, float(np.mean(theirs))


def _together(mine, theirs):
    """Curves of how long agents stay with the reference agents, from the steps they leave at."""
    parted = [steps[steps != NEVER] for steps in (mine, *theirs)]
    last = max(5, int(np.quantile(np.concatenate(parted), 0.98)) if any(map(len, parted)) else 5)
    steps = np.unique(np.linspace(0, last, min(last + 1, MOST_STEPS)).astype(np.int64))
    curves = [_staying(left, steps) for left in (mine, *theirs)]
    return Together(steps, curves[0], np.array(curves[1:]).reshape(-1, len(steps)))


def _staying(left, steps):
    """float64[K]: share of episodes that have not left by each step."""
    return ((left == NEVER) | (left > steps[:, None])).mean(axis=1)
