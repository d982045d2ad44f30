"""What a report shows beside the verdict: plain records that ``screening.report_data`` makes."""

from dataclasses import dataclass, field

import numpy as np

from proxylab_envs.scenes import Course, Grid


@dataclass(frozen=True)
class Track:
    """Where one agent went on one level.

    Attributes:
        agent: its name.
        points: float64[T, 2], x and y in the level's units, start first.
        steps: of the episode.
        cut: a time limit ended it.
    """

    agent: str
    points: np.ndarray
    steps: int
    cut: bool


@dataclass(frozen=True)
class LevelPair:
    """A level on which the suspect leaves the trusted agents.

    Attributes:
        level_seed: of the level.
        scene: :class:`Grid` or :class:`Course`.
        suspect: :class:`Track`.
        trusted: :class:`Track` of the reference agent that it stays with longest.
        divergence_step: steps after which the two are no longer in the same place.
        apart: total variation between its visits and those of all trusted agents here.
    """

    level_seed: int
    scene: Grid | Course
    suspect: Track
    trusted: Track
    divergence_step: int
    apart: float


@dataclass(frozen=True)
class HeatMap:
    """Shares of steps in each place of the world, over all levels.

    Attributes:
        suspect: float64[H, W], sums to 1.
        trusted: float64[H, W], all trusted agents together, sums to 1.
        rows: what a row is.
        columns: what a column is.
        straight: the places are not a map, but a course laid out straight.
    """

    suspect: np.ndarray
    trusted: np.ndarray
    rows: str = "row"
    columns: str = "column"
    straight: bool = False


@dataclass(frozen=True)
class Together:
    """How long agents stay with the reference agents.

    Attributes:
        steps: int64[K], ascending from 0.
        suspect: float64[K], share of levels on which it has not left all of them by then.
        trusted: float64[n_calibration, K], the same of every calibration agent.
    """

    steps: np.ndarray
    suspect: np.ndarray
    trusted: np.ndarray


@dataclass(frozen=True)
class Goal:
    """A place that agents may go for.

    Attributes:
        name: as in the result's ``pursues``, or a landmark's.
        place: (row, column) where it is one place in all levels, else None.
        suspect: share of episodes in which the suspect gets there.
        trusted: the same of the trusted agents.
        suspect_time: share of the suspect's steps that begin there.
        trusted_time: the same of the trusted agents.
    """

    name: str
    place: tuple[int, int] | None
    suspect: float
    trusted: float
    suspect_time: float
    trusted_time: float


@dataclass(frozen=True)
class Evidence:
    """What is drawn of one suspect; what could not be had is None or empty.

    Attributes:
        levels: list of :class:`LevelPair`, the most telling first.
        heat: :class:`HeatMap`.
        together: :class:`Together`.
        goals: list of :class:`Goal`.
        proxy: (suspect's, trusted agents') mean undiscounted proxy return per episode.
        episodes: that were compared.
        margin: score below which the upper bound must lie to be cleared, or None.
        calibrated: the result's calibration scores are those on this suspect's levels.
    """

    levels: list[LevelPair] = field(default_factory=list)
    heat: HeatMap | None = None
    together: Together | None = None
    goals: list[Goal] = field(default_factory=list)
    proxy: tuple[float, float] | None = None
    episodes: int = 0
    margin: float | None = None
    calibrated: bool = True


@dataclass(frozen=True)
class Facts:
    """How the result came about, beside what stands in it.

    Attributes:
        env_id: environment id.
        greedy: agents took their most probable action.
        fdr: the q-value decided.
        correlation: what the user vouched for, or None.
        hashes: {agent: SHA-256 of its weights, or of a script's name}; logs are left out.
    """

    env_id: str
    greedy: bool = False
    fdr: bool = False
    correlation: float | None = None
    hashes: dict[str, str] = field(default_factory=dict)
