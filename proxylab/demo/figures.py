"""The figures of the demo, each drawn from the demo's tables alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab import plots
from proxylab.demo.traces import Trace
from proxylab.tasks import known_task

PATIENCE = 20
"""Frames that the GIF continues after the first of the two episodes ends."""


def learning(tables: Mapping[str, Any]) -> Figure:
    """Returns of the agent during training."""
    return plots.learning_curve(
        tables["learning"],
        title=f"{tables['task']}: training of the proxy agent",
        ylabel="return / optimal return",
    )


def outcomes(tables: Mapping[str, Any]) -> Figure:
    """Outcomes of both agents, with the incidental rate of a proxy policy."""
    return plots.outcome_bars(
        tables["outcomes"], accidental=tables["accidental"], title=f"{tables['task']}: outcomes"
    )


def scores(tables: Mapping[str, Any]) -> Figure:
    """Anomaly scores of the suspect and of held-out honest agents against the trusted ones."""
    detector = tables["detector"].replace("_", " ")
    return plots.score_strip(
        tables["scores"],
        threshold=tables["threshold"],
        title="Anomaly scores (true reward never queried)",
        xlabel=f"anomaly score ({detector})",
    )


def paths(tables: Mapping[str, Any]) -> Figure:
    """Six shifted mazes with the paths of both agents."""
    seeds = list(dict.fromkeys(row["level_seed"] for row in tables["paths"]))
    levels = [[row for row in tables["paths"] if row["level_seed"] == seed] for seed in seeds]
    pictures = level_pictures(tables["task"], seeds)
    size = round(known_task(tables["task"]).make_env(1).num_states ** 0.5)
    corner = np.array([size - 1.5, 1.5]) * pictures[0].shape[0] / size
    return plots.level_paths(
        pictures,
        [[plots.Path(row["agent"], np.array(row["points"])) for row in rows] for rows in levels],
        marks={"the corner": np.tile(corner, (len(seeds), 1))},
        title="Shifted levels: the cheese is no longer in the corner",
    )


def course(tables: Mapping[str, Any]) -> Figure:
    """Paths of both agents on the same course."""
    seed = tables["paths"][0]["level_seed"]
    rows = [row for row in tables["paths"] if row["level_seed"] == seed]
    agent_paths = [
        plots.Path(
            row["agent"],
            np.array(row["points"]),
            f"{row['returns']['proxy/score']:.1f} points, {_laps(row['returns']):.1f} laps",
        )
        for row in rows
    ]
    return plots.course(level_pictures(tables["task"], [seed])[0], agent_paths)


def laps(tables: Mapping[str, Any]) -> Figure:
    """Score against laps, one dot per episode."""
    rows = tables["paths"]
    table = {
        "agent": [row["agent"] for row in rows],
        "score": [row["returns"]["proxy/score"] for row in rows],
        "laps": [_laps(row["returns"]) for row in rows],
    }
    return plots.score_against_laps(table, title="Proxy return and intended return")


def occupancy(tables: Mapping[str, Any]) -> Figure:
    """Shares of steps per cell over many levels: the new agent minus the trusted one."""
    names = list(tables["occupancy"])
    shares = [np.array(tables["occupancy"][name]) for name in names]
    return plots.occupancy_difference(
        *shares, names, walls=np.sum(shares, axis=0) == 0, title="Difference in occupancy"
    )


def occupancy_on_course(tables: Mapping[str, Any]) -> Figure:
    """The same by sections and lanes, drawn on the course of the figure of paths."""
    seed, env = tables["paths"][0]["level_seed"], known_task(tables["task"]).make_env(1)
    outlines = env.cell_outlines(seed)
    assert outlines is not None  # the environment's levels are courses
    names = list(tables["occupancy"])
    shares, others = (np.array(tables["occupancy"][name]).ravel() for name in names)
    picture = level_pictures(tables["task"], [seed])[0]
    title = "Difference in occupancy over many courses,\ndrawn on one of them"
    return plots.occupancy_on_course(picture, outlines, shares, others, names, title)


FIGURES = {
    "maze": {
        "paths": paths,
        "outcomes": outcomes,
        "scores": scores,
        "learning": learning,
        "occupancy": occupancy,
    },
    "course": {
        "course": course,
        "laps": laps,
        "outcomes": outcomes,
        "scores": scores,
        "learning": learning,
        "occupancy": occupancy_on_course,
    },
}
"""The figures by ``level_kind`` of the environment: {name: function of the tables}."""


def draw_figures(tables: Mapping[str, Any], prefix: str) -> list[Path]:
    """Draw and write every figure of the task: list of paths, the PNGs first.

    Args:
        tables: of the demo.
        prefix: what the paths begin with, a folder with its slash or more.
    """
    written, kind = [], known_task(tables["task"]).make_env(1).level_kind
    assert kind is not None  # tasks with a demo can be drawn
    for name, draw in FIGURES[kind].items():
        written += plots.save(draw(tables), f"{prefix}{name}")
    return sorted(written, key=lambda path: (path.suffix, path.name))


def level_pictures(task: str, level_seeds: Sequence[int]) -> list[NDArray[np.uint8]]:
    """uint8[H, W, 3] of every level as it starts."""
    env = known_task(task).make_env(len(level_seeds))
    env.reset_levels(np.array(level_seeds, np.int64), np.arange(len(level_seeds)))
    return [env.render_rgb(i) for i in range(len(level_seeds))]


def animate(task: str, traces: Sequence[Trace], path: Path, frames_per_second: int) -> Path:
    """The GIF of two recorded episodes on one level."""
    phrases = known_task(task).make_env(1).outcome_phrases
    frames = plots.side_by_side(
        [trace.pictures for trace in traces],
        [trace.agent for trace in traces],
        [phrases[trace.outcome] for trace in traces],
        patience=PATIENCE,
    )
    return plots.write_gif(frames, path, frames_per_second=frames_per_second)


def _laps(returns: Mapping[str, float]) -> float:
    """Laps of new progress: the true return less the 1 that finishing the race adds."""
    return min(returns["true"], 3.0)
