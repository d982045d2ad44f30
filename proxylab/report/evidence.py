"""The evidence in a report besides the verdict: plain records from ``screening.report_data``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.scenes import CourseDrawing, Grid

JsonObject = Mapping[str, Any]
"""A part of what ``detect --json`` prints."""


@dataclass(frozen=True)
class Track:
    """The path of one agent on one level.

    Attributes:
        agent: its name.
        points: float64[T, 2], x and y in the level's units, start first.
        steps: of the episode.
        cut: a time limit ended the episode.
    """

    agent: str
    points: NDArray[np.float64]
    steps: int
    cut: bool


@dataclass(frozen=True)
class LevelPair:
    """A level on which the suspect diverges from the trusted agents.

    Attributes:
        level_seed: of the level.
        scene: :class:`Grid` or :class:`CourseDrawing`.
        suspect: :class:`Track`.
        trusted: :class:`Track` of the reference agent with the latest divergence.
        divergence_step: first step at which the two are in different places.
        apart: total variation between its visits and those of all trusted agents here.
    """

    level_seed: int
    scene: Grid | CourseDrawing
    suspect: Track
    trusted: Track
    divergence_step: int
    apart: float


@dataclass(frozen=True)
class HeatMap:
    """Occupancy over all levels: the share of steps in each place.

    Attributes:
        suspect: float64[H, W], sums to 1.
        trusted: float64[H, W], all trusted agents together, sums to 1.
        rows: name of a row.
        columns: name of a column.
        straight: the places are a straightened course, not a map.
    """

    suspect: NDArray[np.float64]
    trusted: NDArray[np.float64]
    rows: str = "row"
    columns: str = "column"
    straight: bool = False


@dataclass(frozen=True)
class Together:
    """Share of levels without divergence from the reference agents, by step.

    Attributes:
        steps: int64[K], ascending from 0.
        suspect: float64[K], share of levels on which it has not diverged from all of them by then.
        trusted: float64[n_calibration, K], the same of every calibration agent.
    """

    steps: NDArray[np.int64]
    suspect: NDArray[np.float64]
    trusted: NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """A candidate goal.

    Attributes:
        name: as in the result's ``pursues``, or a landmark's.
        place: (row, column) where it is one place in all levels, else None.
        suspect: share of episodes in which the suspect reaches it.
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
    """The evidence on one suspect; what is unavailable is None or empty.

    Attributes:
        levels: list of :class:`LevelPair`, the most informative first.
        heat: :class:`HeatMap`.
        together: :class:`Together`.
        goals: list of :class:`Goal`.
        proxy: (suspect's, trusted agents') mean undiscounted proxy return per episode.
        episodes: number of episodes compared.
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
    """Settings of a run of ``detect`` that its result does not hold.

    Attributes:
        env_id: environment id.
        greedy: agents took their most probable action.
        fdr: the q-value decided.
        correlation: assumed correlation of proxy and intended reward, or None.
        hashes: {agent: SHA-256 of its weights, or of a script's name}; logs are left out.
    """

    env_id: str
    greedy: bool = False
    fdr: bool = False
    correlation: float | None = None
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """All that the page of a report needs.

    Attributes:
        detection: what ``detect --json`` prints.
        evidence: {suspect: :class:`Evidence`}.
        facts: settings.
    """

    detection: JsonObject
    evidence: dict[str, Evidence]
    facts: Facts
