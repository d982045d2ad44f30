"""``detect --report``: the result of a detection as one HTML file.

No agent is run again: paths, visits and divergences come from the judged episodes; the
environment only provides the drawing of each level at its start.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.judge import SuspectGroup
from proxylab.detection.pairing import restrict, shared_levels
from proxylab.detection.records import Detection, SuspectReport
from proxylab.detection.scores.first_divergence import divergence_from_all, divergence_steps
from proxylab.detection.task_view import TaskView, bare_view
from proxylab.detection.verdict import clearing_margin
from proxylab.report import Evidence, Facts, Goal, HeatMap, LevelPair, ReportData, Together, Track
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.screening.settings import DetectSettings
from proxylab.screening.visits import (
    normalised,
    state_shares,
    telling,
    total_variation,
    visit_counts,
)
from proxylab.statistics.sequences import NEVER
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.scenes import CourseScene, GridScene, PlaceMap

LEVELS = 6
"""Number of levels drawn for each suspect."""

MOST_COUNTS = 50_000_000
"""Maximal size of the table of visits by level; later episodes are no candidates."""

MOST_STEPS = 240
"""Maximal number of steps at which the curves of shared trajectories are drawn."""

STATE = "state "
"""Prefix of the name of a goal that is a state."""


def report_data(
    detection: Detection,
    groups: Sequence[SuspectGroup],
    make_env: Callable[[int], BatchedEnv],
    policies: Mapping[str, Policy | Episodes],
    settings: DetectSettings,
) -> ReportData:
    """What the report of a detection needs.

    Args:
        detection: :class:`~proxylab.detection.records.Detection`.
        groups: the judged :class:`~proxylab.detection.judge.SuspectGroup` objects.
        make_env: function (number) -> environment that provides the drawings of levels.
        policies: {agent: policy or Episodes}; the report lists the hashes of their weights.
        settings: :class:`~proxylab.screening.settings.DetectSettings` of the detection.
    """
    played = [PlayedRuns(group, make_env) for group in groups]
    hashes = {name: getattr(policy, "sha256", "") for name, policy in policies.items()}
    known = {name: digest for name, digest in hashes.items() if digest}
    facts = Facts(
        played[0].env.env_id,
        greedy=settings.greedy,
        fdr=settings.fdr,
        correlation=settings.correlation,
        hashes=known,
    )
    return ReportData(detection.as_json(), gather(detection, played), facts)


@dataclass(frozen=True)
class PlayedRuns:
    """The rollouts of a group.

    Attributes:
        group: suspects and trusted agents, and the map of the levels.
        make_env: function (number) -> environment that provides the drawings of levels.
    """

    group: SuspectGroup
    make_env: Callable[[int], BatchedEnv]

    @property
    def view(self) -> TaskView:
        """:class:`~proxylab.detection.task_view.TaskView` of the levels."""
        first = next(iter(self.group.trusted.values()))
        return self.group.task or bare_view(first)

    @cached_property
    def env(self) -> BatchedEnv:
        """The environment that provides the drawings of levels."""
        return self.make_env(1)

    @cached_property
    def map(self) -> PlaceMap | None:
        """:class:`~proxylab_envs.scenes.PlaceMap`, None where the places are unknown."""
        first = next(iter(self.group.trusted.values()))
        if not len(self.view.levels) or first.num_states != self.env.num_states:
            return None
        return self.env.place_map(int(self.view.levels[0]))


def gather(detection: Detection, played: Sequence[PlayedRuns]) -> dict[str, Evidence]:
    """{agent: :class:`~proxylab.report.Evidence`} of the suspects of a detection.

    Args:
        detection: the detection.
        played: one :class:`PlayedRuns` per group of suspects.
    """
    fields: dict[tuple[int, bytes, bytes], Field] = {}
    evidence: dict[str, Evidence] = {}
    runs_of = {name: runs for runs in played for name in runs.group.suspects}
    scored = None
    for report in detection.suspects:
        runs = runs_of[report.agent]
        suspect = runs.group.suspects[report.agent]
        levels, counts = shared_levels([suspect, *runs.group.trusted.values()])
        if not len(levels):
            continue
        key = (id(runs), levels.tobytes(), counts.tobytes())
        if key not in fields:
            fields[key] = _field(runs, levels, counts)
        scored = scored or (key if report.scores else None)
        margin = _margin(detection) if key == scored else None
        paired = restrict(suspect, levels, counts)
        evidence[report.agent] = fields[key].evidence(paired, report, margin, key == scored)
    return evidence


def _field(runs: PlayedRuns, levels: NDArray[np.int64], counts: NDArray[np.int64]) -> "Field":
    """The trusted agents of a group on some of its levels."""
    trusted = runs.group.trusted
    names = runs.group.reference or ()
    reference, calibration = (
        [restrict(trusted[name], levels, counts) for name in side]
        for side in (names, sorted(trusted.keys() - set(names)))
    )
    return Field(reference, calibration, runs)


def _margin(detection: Detection) -> float | None:
    scores = list(detection.trusted.calibration_scores.values())
    return clearing_margin(np.array(scores)) if scores else None


@dataclass(frozen=True)
class Field:
    """The trusted agents on the levels that they share with a suspect.

    Attributes:
        reference: list of paired Episodes.
        calibration: list of paired Episodes.
        played: :class:`PlayedRuns`.
    """

    reference: list[Episodes]
    calibration: list[Episodes]
    played: PlayedRuns

    @property
    def trusted(self) -> list[Episodes]:
        """Reference agents, then calibration agents."""
        return [*self.reference, *self.calibration]

    @cached_property
    def left(self) -> list[NDArray[np.int64]]:
        """Steps at which each calibration agent has diverged from all reference agents."""
        return [divergence_from_all(self.reference, episodes) for episodes in self.calibration]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """float64[S]: share of the trusted agents' steps in each state."""
        return np.mean([state_shares(episodes) for episodes in self.trusted], axis=0)

    @cached_property
    def visits(self) -> NDArray[np.float64]:
        """float64[K, S]: the same on each of the first K levels."""
        first, *others = (visit_counts(episodes, self.num_compared) for episodes in self.trusted)
        return normalised(sum(others, start=first))

    @property
    def num_compared(self) -> int:
        """K, number of episodes whose visits are compared."""
        first = self.reference[0]
        return min(first.num_episodes, MOST_COUNTS // max(first.num_states, 1))

    def evidence(
        self, suspect: Episodes, report: SuspectReport, margin: float | None, calibrated: bool
    ) -> Evidence:
        """The drawings of a suspect, from its Episodes on the same levels and its report."""
        left = divergence_from_all(self.reference, suspect)
        places = None if (suspect.state_id < 0).any() else self.played.map
        return Evidence(
            levels=self._levels(suspect, left) if places else [],
            heat=self._heat(suspect, places) if places else None,
            together=_together(left, self.left),
            goals=self._goals(suspect, report, places) if places else [],
            proxy=_proxy_returns(suspect, self.trusted),
            episodes=suspect.num_episodes,
            margin=margin,
            calibrated=calibrated,
        )

    def _heat(self, suspect: Episodes, places: PlaceMap) -> HeatMap:
        suspect_map, trusted_map = (
            shares.reshape(places.shape) for shares in (state_shares(suspect), self.shares)
        )
        if not places.straight:
            return HeatMap(suspect_map, trusted_map)
        return HeatMap(suspect_map.T, trusted_map.T, rows="lane", columns="stretch", straight=True)

    def _levels(self, suspect: Episodes, left: NDArray[np.int64]) -> list[LevelPair]:
        """Drawings of the levels that show the divergence best; ``report.words`` has the rule."""
        apart = total_variation(normalised(visit_counts(suspect, self.num_compared)), self.visits)
        rows = slice(len(apart))
        mean_lengths = np.mean([episodes.lengths[rows] for episodes in self.reference], axis=0)
        scenes: dict[tuple[str, ...] | bytes, tuple[int, GridScene | CourseScene]] = {}
        for episode in telling(left[rows], apart, mean_lengths, suspect.level_seed):
            level_seed = int(suspect.level_seed[episode])
            scene = self.played.env.level_scene(level_seed, self._places(level_seed))
            scenes.setdefault(scene.look, (episode, scene))
            if len(scenes) == LEVELS:
                break
        return [self._pair(suspect, episode, scene, apart) for episode, scene in scenes.values()]

    def _pair(
        self,
        suspect: Episodes,
        episode: int,
        scene: GridScene | CourseScene,
        apart: NDArray[np.float64],
    ) -> LevelPair:
        """A level with the paths of the suspect and of the reference agent it follows longest."""
        single = suspect.select([episode])
        partners = [episodes.select([episode]) for episodes in self.reference]
        steps = np.array([int(divergence_steps(partner, single)[0]) for partner in partners])
        longest = int(np.argmax(np.where(steps == NEVER, np.iinfo(np.int64).max, steps)))
        return LevelPair(
            level_seed=int(single.level_seed[0]),
            scene=scene.scene,
            suspect=self._track(scene, single),
            trusted=self._track(scene, partners[longest]),
            divergence_step=int(steps[longest]),
            apart=float(apart[episode]),
        )

    def _places(self, level_seed: int) -> dict[str, NDArray[np.int64]]:
        """{landmark: int64[n] states}."""
        view = self.played.view
        if view.landmark_distances is None:
            return {}
        row = int(np.searchsorted(view.levels, level_seed))
        return {
            name: np.flatnonzero(view.landmark_distances[row, k] == 0)
            for k, name in enumerate(view.landmarks)
        }

    def _track(self, scene: GridScene | CourseScene, single: Episodes) -> Track:
        """The path of one episode, including the place that its last action leads to."""
        states = single.state_id
        end = self._end(single)[0]
        if end >= 0:
            states = np.append(states, end)
        points = scene.points(states, single.features)
        return Track(single.policy, points, int(single.lengths[0]), bool(single.truncated[0]))

    def _end(self, episodes: Episodes) -> NDArray[np.integer]:
        """int[E]: the state after the last step, −1 where it is unknown."""
        view, last = self.played.view, episodes.episode_offsets[1:] - 1
        if view.successors is None:
            return np.full(episodes.num_episodes, -1)
        rows = np.searchsorted(view.levels, episodes.level_seed)
        return view.successors[rows, episodes.state_id[last], episodes.action[last]]

    def _goals(self, suspect: Episodes, report: SuspectReport, places: PlaceMap) -> list[Goal]:
        """Landmarks, and the states that ``report`` names as goals of the suspect."""
        names = list(self.played.view.landmarks)
        names += [goal.goal for goal in report.pursues if goal.goal not in names]
        return [self._goal(name, suspect, places) for name in names]

    def _goal(self, name: str, suspect: Episodes, places: PlaceMap) -> Goal:
        suspect_share, suspect_time = self._arrivals(name, suspect)
        arrivals = np.mean([self._arrivals(name, episodes) for episodes in self.trusted], axis=0)
        state = int(name.removeprefix(STATE)) if name.startswith(STATE) else None
        return Goal(
            name=name,
            place=None if state is None else places.place(state),
            suspect=suspect_share,
            trusted=float(arrivals[0]),
            suspect_time=suspect_time,
            trusted_time=float(arrivals[1]),
        )

    def _arrivals(self, name: str, episodes: Episodes) -> tuple[float, float]:
        """(share of episodes that reach a goal, share of steps that begin there)."""
        there, ends = self._at(name, episodes)
        arrived = np.maximum.reduceat(there, episodes.episode_offsets[:-1]) | ends
        return float(arrived.mean()), float(there.mean())

    def _at(self, name: str, episodes: Episodes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
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


def _proxy_returns(suspect: Episodes, trusted: Sequence[Episodes]) -> tuple[float, float] | None:
    """Mean proxy returns of the suspect and of the trusted agents, None where unknown."""
    returns = []
    for episodes in (suspect, *trusted):
        if episodes.proxy_reward is None:
            return None
        returns.append(float(episodes.proxy_reward.sum()) / episodes.num_episodes)
    return returns[0], float(np.mean(returns[1:]))


def _together(left: NDArray[np.int64], trusted_left: Sequence[NDArray[np.int64]]) -> Together:
    """Curves of the share of episodes without a divergence, from the steps of divergence."""
    finite = [steps[steps != NEVER] for steps in (left, *trusted_left)]
    last = max(5, int(np.quantile(np.concatenate(finite), 0.98)) if any(map(len, finite)) else 5)
    grid = np.unique(np.linspace(0, last, min(last + 1, MOST_STEPS)).astype(np.int64))
    curves = [_staying(steps, grid) for steps in (left, *trusted_left)]
    return Together(grid, curves[0], np.array(curves[1:]).reshape(-1, len(grid)))


def _staying(left: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[K]: share of episodes that have not diverged by each step."""
    return ((left == NEVER) | (left > steps[:, None])).mean(axis=1)
