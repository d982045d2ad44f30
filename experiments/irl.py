"""What reward do demonstrations show, if the cheese is in the corner in all of them?

Exact maximum-causal-entropy IRL and behaviour cloning from the same demonstrations: shortest paths
to the cheese in k mazes of maze-corner, 20 episodes a maze. In x of the mazes the cheese is
elsewhere. The recovered reward is optimised exactly, in the same walls and in new ones, with the
cheese elsewhere. No agent is trained or loaded; the agent of a point is a placeholder.

Learners. *two goals*: one weight for the cheese and one for the corner cell. *two goals, paid
once*: the corner pays at the first arrival only. *every cell*: one weight for the cheese and one
for each cell. *cloning*: a network of two hidden layers on the planes of the observation.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.fields import arrows
from proxylab.plots.scales import log_ticks
from proxylab.plots.style import CYCLE, GREY, INK, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import curve, grouped, over_seeds
from proxylab.rewards.irl import (
    Episode,
    arrival_features,
    demonstrations,
    draw_episodes,
    optimal_policy,
    recover_reward,
)
from proxylab.rewards.tabular import TabularMDP, goal_cells, goal_shares, maze_table
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.crossings import crossing_interval
from proxylab_envs.grid.paths import COL_STEP, ROW_STEP
from proxylab_envs.grid.shapes import sprite
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

CLAIM = (
    "From demonstrations with the cheese in the corner, IRL gives the corner as much reward as the "
    "cheese, and its optimal policy and a clone miss a moved cheese; one maze of 64 with the "
    "cheese elsewhere corrects the reward, half of the mazes do not correct the clone"
)
TASK = "maze-corner"
AGENT = f"zoo:{TASK}/proxy-00"
GOALS, ONCE, CELLS, CLONE = "two goals", "two goals, paid once", "every cell", "cloning"
LEARNERS = (GOALS, ONCE, CELLS, CLONE)
SAME, NEW = "same walls", "new walls"
SHOWN, LIKE = "as demonstrated", "new walls, cheese in the corner"
MAP = "map"
LAPTOP = {
    "mazes": {1: (0,), 8: (0, 1, 2, 4), 64: (0, 1, 2, 4, 8, 16, 32)},
    "seeds": 10,
    "measure": {
        "size": 9,
        "discount": 0.95,
        "episodes": 20,
        "penalty": 1e-3,
        "tests": 64,
        "hidden": 128,
        "steps": 400,
        "map_level": 0,
    },
}
SWEEP = {
    "smoke": {
        "mazes": {2: (0, 1)},
        "seeds": 1,
        "measure": {**LAPTOP["measure"], "size": 7, "episodes": 5, "tests": 4, "steps": 20},
    },
    "laptop": LAPTOP,
    "paper": {
        **LAPTOP,
        "mazes": {1: (0,), 8: (0, 1, 2, 4), 64: LAPTOP["mazes"][64], 256: (0, 1, 4, 16, 64)},
        "seeds": 20,
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    return [
        Point({"learner": learner, "mazes": k, "elsewhere": x, "seed": seed}, agent=AGENT)
        for learner in LEARNERS
        for k, shares in settings["mazes"].items()
        for x in shares
        for seed in range(settings["seeds"])
    ]


class Mazes:
    """Tables of mazes of one size, by level seed, as one learner sees them."""

    def __init__(self, learner: str, options: dict[str, Any]) -> None:
        self.learner, self.options = learner, options
        self.env = MazeCorner(1, MazeConfig(size=options["size"]))
        self.table = functools.lru_cache(None)(self._table)

    def _table(self, level_seed: int) -> TabularMDP:
        discount, remembers = self.options["discount"], self.learner == ONCE
        return maze_table(self.env, level_seed, discount, remembers_corner=remembers)

    def planes(self, level_seed: int) -> NDArray[np.float64]:
        """Features of each cell, float64[C, K]: the cheese, then the corner or every cell."""
        cheese, corner = goal_cells(self.env, level_seed)
        is_cheese = np.zeros((self.env.num_states, 1))
        is_cheese[cheese] = 1
        places = np.eye(self.env.num_states)
        if self.learner != CELLS:
            places = places[:, [corner]]
        if self.learner != ONCE:
            return np.hstack([is_cheese, places])
        after = np.hstack([is_cheese, np.zeros_like(places)])
        return np.vstack([np.hstack([is_cheese, places]), after])

    def seek(self, level_seed: int, goal: int) -> NDArray[np.float64]:
        """Shortest paths to the cheese (0) or the corner (1), and there stay: float64[S, A]."""
        table, cells = self.table(level_seed), self.env.num_states
        steps = self.env.landmark_distances(np.array([level_seed]))[0, goal].astype(int)
        here, there = steps[table.cells % cells][:, None], steps[table.arrivals % cells]
        good = (there < here) | ((there == 0) & (here == 0))
        return good / good.sum(axis=1, keepdims=True)

    def demonstrated(self, level_seed: int, rng: np.random.Generator) -> list[Episode]:
        policy = self.seek(level_seed, 0)
        return draw_episodes(self.table(level_seed), policy, self.options["episodes"], rng)

    def observations(self, level_seed: int) -> NDArray[np.float32]:
        """Planes of the environment with the mouse in each state: float32[S, 3 · C]."""
        table, cells = self.table(level_seed), self.env.num_states
        walls = self.env.successors(np.array([level_seed]))[0, :, 0] < 0
        cheese = np.arange(cells) == goal_cells(self.env, level_seed)[0]
        mouse = np.eye(cells)[table.cells % cells]
        still = np.tile(np.concatenate([walls, cheese]), (table.num_states, 1))
        return np.hstack([still, mouse]).astype(np.float32)

    def sample(self, split: str, count: int, seed: int) -> list[int]:
        """Level seeds of a split; of shifted ones, those with the cheese outside the corner."""
        drawn = self.env.sample_level_seeds(Levels(split), count, seed).tolist()
        return self.apart(drawn) if split == "shifted" else drawn

    def apart(self, level_seeds: Sequence[int]) -> list[int]:
        """The levels whose cheese is not in the corner."""
        return [s for s in level_seeds if len(set(goal_cells(self.env, s))) == 2]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    labels, options = point.labels, settings["measure"]
    mazes, k = Mazes(labels["learner"], options), labels["mazes"]
    trained = mazes.sample("train", k, 1_000 + labels["seed"])
    shown = [s + SHIFTED if i < labels["elsewhere"] else s for i, s in enumerate(trained)]
    rng = np.random.default_rng(labels["seed"])
    episodes = {seed: mazes.demonstrated(seed, rng) for seed in shown}
    learnt = _cloned(mazes, episodes) if labels["learner"] == CLONE else _planned(mazes, episodes)
    tests = {
        SHOWN: trained[k // 2 :],
        SAME: mazes.apart([s + SHIFTED for s in trained[k // 2 :]]),
        NEW: mazes.sample("shifted", options["tests"], 0),
        LIKE: mazes.sample("iid", options["tests"], 0),
    }
    limit = options["tests"]
    rows = [_shares(mazes, learnt, name, seeds[:limit]) for name, seeds in tests.items() if seeds]
    mapped = labels["learner"] == CELLS and labels["elsewhere"] <= 1
    return rows + (_map(mazes, learnt) if mapped else [])


class _Planned:
    """The optimal policy of a recovered reward."""

    def __init__(self, mazes: Mazes, weights: NDArray[np.float64]) -> None:
        self.mazes, self.weights = mazes, weights

    def __call__(self, level_seed: int) -> NDArray[np.float64]:
        table = self.mazes.table(level_seed)
        features = arrival_features(table, self.mazes.planes(level_seed))
        return optimal_policy(table, features @ self.weights)


def _planned(mazes: Mazes, episodes: dict[int, list[Episode]]) -> _Planned:
    shown = []
    for seed, played in episodes.items():
        features = arrival_features(mazes.table(seed), mazes.planes(seed))
        shown.append(demonstrations(mazes.table(seed), features, played))
    return _Planned(mazes, recover_reward(shown, mazes.options["penalty"]).weights)


def _cloned(mazes: Mazes, episodes: dict[int, list[Episode]]) -> Any:
    """Function level seed -> float64[S, A]: a network fitted to the demonstrated actions."""
    import torch  # heavy, and needed by one learner only

    inputs, taken = [], []
    for seed, played in episodes.items():
        counts = np.zeros((mazes.table(seed).num_states, 4), np.float32)
        for states, actions in played:
            np.add.at(counts, (states, actions), 1)
        inputs.append(mazes.observations(seed)[counts.any(axis=1)])
        taken.append(counts[counts.any(axis=1)])
    x, counts = (torch.from_numpy(np.concatenate(parts)) for parts in (inputs, taken))
    torch.manual_seed(len(x))
    width = mazes.options["hidden"]
    layers = [torch.nn.Linear(x.shape[1], width), torch.nn.ReLU(), torch.nn.Linear(width, width)]
    network = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(width, 4))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    for _ in range(mazes.options["steps"]):
        optimiser.zero_grad()
        (-(counts * torch.log_softmax(network(x), dim=1)).sum() / counts.sum()).backward()
        optimiser.step()

    def chosen(level_seed: int) -> NDArray[np.float64]:
        with torch.no_grad():
            logits = network(torch.from_numpy(mazes.observations(level_seed)))
            return torch.softmax(logits.double(), dim=1).numpy()

    return chosen


NOTHING = dict.fromkeys(
    ("cheese", "corner_first", "seeker_cheese", "optimal_corner", "weight_cheese", "weight_corner")
)
NOWHERE = dict.fromkeys(("place", "row", "column", "is_cheese", "pays", "down", "right"))


def _shares(mazes: Mazes, learnt: Any, name: str, level_seeds: list[int]) -> dict[str, Any]:
    """Means over levels: goals reached, and those reached by the two perfect seekers."""
    steps = mazes.env.config.max_steps
    found = []
    for seed in level_seeds:
        table, corner = mazes.table(seed), goal_cells(mazes.env, seed)[1]
        corners = (corner, corner + mazes.env.num_states)
        ways = [learnt(seed), mazes.seek(seed, 1), mazes.seek(seed, 0)]
        own, seeker, optimal = (goal_shares(table, way, corners, steps) for way in ways)
        found.append((own.cheese, own.corner_first, seeker.cheese, optimal.corner_first))
    values = dict(zip(NOTHING, np.mean(found, axis=0).tolist(), strict=False))
    weights = {}
    if isinstance(learnt, _Planned):
        corner = goal_cells(mazes.env, level_seeds[0])[1]
        place = 1 + corner if mazes.learner == CELLS else 1
        weights = {"weight_cheese": learnt.weights[0], "weight_corner": learnt.weights[place]}
    return {"test": name, "levels": len(found), **NOTHING, **values, **weights, **NOWHERE}


def _map(mazes: Mazes, learnt: _Planned) -> list[dict[str, Any]]:
    """What the reward pays for each cell of one new maze, and the best move from it."""
    twin = mazes.sample("shifted", 64, 1)[mazes.options["map_level"]]
    rows = []
    for place, seed in (("corner", twin - SHIFTED), ("elsewhere", twin)):
        paid, table, policy = mazes.planes(seed) @ learnt.weights, mazes.table(seed), learnt(seed)
        stays = table.arrivals == table.cells[:, None]
        moves = np.where(stays, 0, policy) @ np.array([ROW_STEP, COL_STEP]).T
        of = dict(zip(table.cells.tolist(), moves.tolist(), strict=True))
        for cell in sorted([*of, goal_cells(mazes.env, seed)[0]]):
            row, column = divmod(cell, mazes.options["size"])
            down, right = of.get(cell, (0.0, 0.0))
            where = {"place": place, "row": row, "column": column, "is_cheese": cell not in of}
            where |= {"pays": paid[cell], "down": down, "right": right}
            rows.append({"test": MAP, "levels": 1, **NOTHING, **where})
    return rows


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by = ("learner", "mazes", "elsewhere", "test")
    tested = [row for row in rows if row["test"] != MAP]
    cells = [row for row in rows if row["test"] == MAP]
    where = ("mazes", "elsewhere", "place", "row", "column", "is_cheese")
    return {
        "seeds": over_seeds(tested, by, tuple(NOTHING)),
        "turn": _turns(tested),
        "map": over_seeds(cells, where, ("pays", "down", "right")),
    }


def _turns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mazes with the cheese elsewhere at which half of the failure is gone, by either goal."""
    most = max(row["mazes"] for row in rows)
    moved = [r for r in rows if r["mazes"] == most and r["test"] in (SAME, NEW)]
    turns = []
    for (learner, test), own in grouped(moved, ("learner", "test")).items():
        x = sorted({row["elsewhere"] for row in own})
        seeds = sorted({row["seed"] for row in own})
        best = {"cheese": 1.0, "corner_first": -np.mean([row["optimal_corner"] for row in own])}
        for value, sign in (("cheese", 1), ("corner_first", -1)):
            of = {(row["seed"], row["elsewhere"]): sign * row[value] for row in own}
            shares = np.array(
                [[of[s, k] for k in x] for s in seeds if all((s, k) in of for k in x)]
            )
            half = (shares[:, 0].mean() + best[value]) / 2
            if half - shares[:, 0].mean() < 1e-6:
                continue  # there is no failure to correct
            interval = crossing_interval(x, shares, half, np.random.default_rng(0))
            bounds = [bound if np.isfinite(bound) else None for bound in interval]
            turn = {"learner": learner, "test": test, "mazes": most, "value": value}
            turns.append(turn | dict(zip(("elsewhere", "low", "high"), bounds, strict=True)))
    return turns


BLUE, VERMILLION, GREEN, *_, SKY = CYCLE
LOOKS = {GOALS: (BLUE, "-"), ONCE: (SKY, "--"), CELLS: (VERMILLION, "-"), CLONE: (INK, "-")}
WIDE = 4.5
"""Line width of *two goals*, under *every cell*, which nearly coincides with it."""
VALUES = {"cheese": "cheese reached", "corner_first": "corner first"}
BASELINES = {"cheese": "seeker_cheese", "corner_first": "optimal_corner"}
"""The other seeker's share of each goal: of the cheese by a corner-seeker, and vice versa."""


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    return {"": _curves(tables["seeds"]), "map": _maps(tables["map"])}


def _curves(rows: list[dict[str, Any]]) -> Figure:
    """Goals reached over the number of mazes with the cheese elsewhere, for the most mazes."""
    most = max(row["mazes"] for row in rows)
    figure = new_figure(8.6, 6.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for line, test in zip(panels, (SAME, NEW), strict=True):
        for axes, (value, label) in zip(line, VALUES.items(), strict=True):
            own = [r for r in rows if (r["mazes"], r["test"]) == (most, test)]
            _panel(axes, own, value, f"{test}: {label}")
    for axes in panels[:, 0]:
        axes.set_ylabel("episodes, cheese elsewhere")
        as_percent(axes.yaxis)
    for axes in panels[1]:
        axes.set_xlabel(f"mazes with the cheese elsewhere, of {most} demonstrated")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Any, rows: list[dict[str, Any]], value: str, title: str) -> None:
    counts = sorted({row["elsewhere"] for row in rows})
    places = log_ticks(axes, counts, [str(count) for count in counts], gap=np.log10(2))
    for learner, (colour, style) in LOOKS.items():
        own = [row for row in rows if row["learner"] == learner]
        x, mean, low, high = curve(own, "elsewhere", value)
        axes.fill_between(places(x), low, high, color=colour, alpha=0.18, linewidth=0)
        width = WIDE if learner == GOALS else 1.8
        look = {"color": colour, "linewidth": width, "markersize": 2 + width, "marker": "o"}
        axes.plot(places(x), mean, style, label=learner, **look)
    level = np.mean([row["mean"] for row in rows if row["value"] == BASELINES[value]])
    axes.axhline(level, color=GREY, linestyle=":", label="incidental rate")
    axes.set(ylim=(-0.03, 1.03), title=title)


CELL_PX = 32
WALL_COLOUR = np.array([59, 59, 59], np.uint8)


def _maps(rows: list[dict[str, Any]]) -> Figure:
    """What the reward of *every cell* pays in one maze, with the moves of its optimal policy."""
    most = max(row["mazes"] for row in rows)
    counts = sorted({row["elsewhere"] for row in rows if row["mazes"] == most})[:2]
    panels = [("corner", counts[0]), *(("elsewhere", count) for count in counts)]
    figure = new_figure(3.5 * len(panels) + 0.7, 3.9)
    tables = [_cells(rows, most, count, place) for place, count in panels]
    limit = max(abs(cell["pays"]) for cells in tables for cell in cells.values())
    colours = ScalarMappable(Normalize(-limit, limit), "PuOr_r")
    drawn = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, cells, (place, count) in zip(drawn, tables, panels, strict=True):
        _map_panel(axes, cells, colours)
        here = "in the corner" if place == "corner" else "elsewhere"
        title = f"shown elsewhere in {count} of {most} mazes,\ncheese now {here}"
        axes.set_title(title, fontsize=9)
    bar = figure.colorbar(colours, ax=drawn, shrink=0.8)
    bar.set_label("recovered reward of an arrival", fontsize=9)
    return figure


def _cells(
    rows: list[dict[str, Any]], mazes: int, elsewhere: int, place: str
) -> dict[tuple[int, int], dict[str, Any]]:
    """{(row, column): pays, down, right, is_cheese} of one panel."""
    cells: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        if (row["mazes"], row["elsewhere"], row["place"]) == (mazes, elsewhere, place):
            cell = cells.setdefault((row["row"], row["column"]), {"is_cheese": row["is_cheese"]})
            cell[row["value"]] = row["mean"]
    return cells


def _map_panel(
    axes: Any, cells: dict[tuple[int, int], dict[str, Any]], colours: ScalarMappable
) -> None:
    size = 2 + max(max(cell) for cell in cells)
    picture = np.tile(WALL_COLOUR, (size, size, 1))
    for cell, values in cells.items():
        picture[cell] = 255 * np.array(colours.to_rgba(values["pays"]))[:3]
    picture = picture.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1).astype(float)
    paint, opacity = sprite("cheese", CELL_PX)
    row, column = next(cell for cell, values in cells.items() if values["is_cheese"])
    down, right = row * CELL_PX, column * CELL_PX
    there = picture[down : down + CELL_PX, right : right + CELL_PX]
    there *= 1 - opacity
    there += paint
    moves = {cell: (values["down"], values["right"]) for cell, values in cells.items()}
    moving = {cell: move for cell, move in moves.items() if any(move)}
    shown, level = np.clip(np.rint(picture), 0, 255).astype(np.uint8), "\n" * (size - 1) + "."
    arrows(axes, shown, np.array(list(moving)), np.array(list(moving.values())), level, GREEN)
