"""Early stopping by the angle between proxy and true reward, where it can be computed exactly.

The rule of Karwowski et al. 2023 (arXiv 2310.09144) on tables of boat-race, of mazes with the
cheese elsewhere (the corner pays once), and of the same mazes with random rewards. A policy is
optimised for share · proxy + (1 − share) · true, along the path of steepest ascent in
occupancies, for which the rule is stated, or along Boltzmann policies of rising pressure. The rule
stops before the first step that could lower the true return; it knows the angle θ exactly, or is a
quarter off. Boat-race has one course; its time limit is left out. No agent is trained or
loaded; the agent of a point is a placeholder.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import BLUE, GREEN, GREY, VERMILLION, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import curve, over_seeds
from proxylab.rewards.irl import optimal_policy
from proxylab.rewards.stopping import boltzmann_path, steepest_path, stops
from proxylab.rewards.tabular import TabularMDP, boat_race_table, goal_cells, maze_table
from proxylab.rollouts.rollout import Policy
from proxylab_envs.boat_race import BoatRace
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

CLAIM = (
    "With the exact angle between proxy and true reward, the rule of Karwowski et al. never passes "
    "a fall of the true return, and it stops so early that on most paths never stopping has the "
    "higher true return"
)
AGENT = "zoo:maze-corner/proxy-00"
BOAT, MAZE, RANDOM = "boat-race", "maze-corner", "random rewards"
STEEPEST, BOLTZMANN = "steepest ascent", "Boltzmann policies"
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SWEEP = {
    "smoke": {
        "shares": (0.5, 1.0),
        "levels": 2,
        "measure": {"size": 7, "discount": 0.97, "pressures": 40},
    },
    "laptop": {
        "shares": SHARES,
        "levels": 40,
        "measure": {"size": 9, "discount": 0.97, "pressures": 200},
    },
    "paper": {
        "shares": SHARES,
        "levels": 200,
        "measure": {"size": 9, "discount": 0.97, "pressures": 200},
    },
}
LOWEST, HIGHEST = -2, 4
"""Powers of ten of the pressure."""
FALL = 0.02
"""A path turns if the true return ends this far below its maximum."""

Case = tuple[TabularMDP, NDArray[np.float64], NDArray[np.float64]]
"""(table, true reward, proxy), rewards as float64[S, A]."""


def points(settings: dict[str, Any]) -> list[Point]:
    levels = range(settings["levels"])
    seeds = {BOAT: range(1), MAZE: levels, RANDOM: levels}
    return [
        Point({"path": path, "task": task, "share": share, "seed": seed}, agent=AGENT)
        for path in (STEEPEST, BOLTZMANN)
        for task, numbers in seeds.items()
        for share in settings["shares"]
        for seed in numbers
    ]


def case_of(task: str, number: int, options: dict[str, Any]) -> Case:
    """The course of boat-race, or the maze of this number, with its own or random rewards."""
    if task == BOAT:
        boat = BoatRace(1)
        table = boat_race_table(boat, options["discount"])
        rewards = boat.rules.rewards[table.cells].astype(float)
        return table, rewards[:, :, 0], rewards[:, :, 1]
    env = MazeCorner(1, MazeConfig(size=options["size"]))
    seed = _levels(env, 2 * number + 20)[number]
    table = maze_table(env, seed, options["discount"], remembers_corner=task == MAZE)
    if task == RANDOM:
        true, proxy = np.random.default_rng(number).normal(size=(2, *table.successors.shape))
        return table, true, proxy
    cheese, corner = goal_cells(env, seed)
    at_cheese = table.arrivals % env.num_states == cheese
    return table, at_cheese.astype(float), (table.arrivals == corner).astype(float)


def _levels(env: MazeCorner, count: int) -> list[int]:
    """Level seeds with the cheese two steps or more from the corner."""
    drawn = env.sample_level_seeds(Levels("shifted"), count, 0)
    to_cheese = env.landmark_distances(drawn)[:, 0]
    corners = [goal_cells(env, seed)[1] for seed in drawn.tolist()]
    return drawn[to_cheese[np.arange(count), corners] >= 2].tolist()


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    labels, options = point.labels, settings["measure"]
    table, true, proxy = case_of(labels["task"], labels["seed"], options)
    easy = labels["share"] * proxy + (1 - labels["share"]) * true
    if labels["path"] == STEEPEST:
        path = steepest_path(table, easy)
    else:
        pressures = np.concatenate([[0], np.logspace(LOWEST, HIGHEST, options["pressures"])])
        path = boltzmann_path(table, easy, pressures)
    returns = np.tensordot(path, true, axes=2)
    best = float(np.sum(table.occupancy(optimal_policy(table, true)) * true))
    shares = (returns - returns[0]) / (best - returns[0])
    rows = []
    for stop in stops(path, true, easy, table):
        falls = np.diff(shares[: stop.index + 1])
        rows.append(
            {
                "error": stop.error,
                "degrees": float(np.degrees(stop.angle / (1 + stop.error))),
                "stopped": shares[stop.index],
                "last": shares[-1],
                "best": shares.max(),
                "turns": bool(shares[-1] < shares.max() - FALL),
                "at_once": stop.index == 0,
                "fell": bool((falls < -1e-6).any()),
            }
        )
    return rows


VALUES = ("degrees", "stopped", "last", "best", "turns", "at_once", "fell")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over levels; of returns, 0 is the uniform policy's and 1 the optimum."""
    return {"seeds": over_seeds(rows, ("path", "task", "share", "error"), VALUES)}


LINES = (
    ("last", VERMILLION, "-", "never stop"),
    ("best", GREEN, "--", "oracle: the best policy of the path"),
    ("stopped", BLUE, "-", "stop by θ"),
)


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    rows = tables["seeds"]
    paths, tasks = (list(dict.fromkeys(row[by] for row in rows)) for by in ("path", "task"))
    figure = new_figure(3.4 * len(tasks), 2.9 * len(paths) + 0.7)
    panels = figure.subplots(len(paths), len(tasks), sharex=True, sharey=True, squeeze=False)
    for line, path in zip(panels, paths, strict=True):
        for axes, task in zip(line, tasks, strict=True):
            _panel(axes, [r for r in rows if (r["path"], r["task"]) == (path, task)])
            axes.set_title(task if path == paths[0] else "")
        line[0].set_ylabel(f"{path}\ntrue return")
    for axes in panels[-1]:
        axes.set_xlabel("share of the proxy in the reward")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
    return {"": figure}


def _panel(axes: Any, rows: list[dict[str, Any]]) -> None:
    for value, colour, style, label in LINES:
        x, mean, low, high = curve(rows, "share", value, error=0.0)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, mean, style, marker="o", markersize=4, color=colour, label=label)
    for error, style in ((-0.25, ":"), (0.25, "-.")):
        x, mean, *_ = curve(rows, "share", "stopped", error=error)
        axes.plot(x, mean, style, color=BLUE, linewidth=1.4, label=f"stop by {1 + error:g} θ")
    axes.axhline(0, color=GREY, linewidth=0.8)
