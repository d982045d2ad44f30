"""maze-corner: why do four comparisons of ``corner-size`` miss the published numbers?

On 13×13 blocks clones visit the corner cell at k = 2, 3 and 5 more often than published, and at
k = 7 the moved cheese is worth less. Four kinds of agents are trained, all with the settings of
``corner-size`` but one: *clone* (as there), *more levels* (unlimited instead of 2,048), *longer*
(four times the demonstrated steps) and *PPO* (instead of cloning).

Visits are counted on *searches*: shifted levels on which the agent enters the block and the cheese
is not in it. A *walker* is the baseline: from the cell of entry it moves to a random free
neighbour within the block, for as many steps as the agent has left; its chances are computed
exactly. The *even share* is one over the number of cells of the block that can be reached in it.

What counts as an explanation was fixed before the runs; means over seeds decide:

loitering   at k = 2, 3 and 5 a clone spends at least .8 of the steps after the entry in the block
no seeking  within 2k steps of the entry a clone visits the corner cell no more often than the
            walker, and spends at most 1.5 times the even share of its steps in the block there
late        at k = 3 and 5 at least half of the clone's proxy return on searches is earned later
            than 2k steps after the entry
cloning     PPO's proxy return at k = 3 is at most .15, the limit of ``corner-size``: only then is
            the algorithm the reason why the corner is visited more often than published
the cheese  with *more levels*, *longer* or *PPO*, each by itself, the true return at k = 7 is at
            least .7 of the optimum: only then is that difference the reason for .57

Two more kinds were added after these had been seen, with the same limits: *more levels, longer*
and *PPO, longer* (four times the steps).
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.environments.resolve import make_environment
from proxylab.plots.style import BLUE, GREEN, GREY, INK, MEANINGS, PURPLE, SKY, new_figure, styled
from proxylab.reproduce.experiment import Point, grid, load_experiment
from proxylab.reproduce.measure import curve, over_seeds
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.statistics.returns import discounted_returns
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

CLAIM = (
    "Agents visit the corner cell of a small block more often than published because they stay in "
    "the block, where a random walker visits it as often; longer PPO does so less at k = 3. At "
    "k = 7 clones fall short for want of training levels and length together"
)
TASK = "maze-corner"
base = load_experiment(Path(__file__).with_name("corner_size.py")).module
GAMMA = base.GAMMA
ENV_KWARGS: dict[str, Any] = base.ENV_KWARGS[base.BLOCKS]
INNER: int = ENV_KWARGS["size"] - 2
CLONE, LEVELS, LONGER, PPO = "clone", "more levels", "longer", "PPO"
BOTH, LONG_PPO = "more levels, longer", "PPO, longer"
UNLIMITED, FOURFOLD = (LEVELS, BOTH), (LONGER, BOTH, LONG_PPO)

SWEEP = {
    "smoke": {
        "sizes": {CLONE: (2,), PPO: (2,)},
        "seeds": 1,
        "steps": {"bc": 8_192, "ppo": 16_384},
        "measure": {"levels": 50},
    },
    "laptop": {
        "sizes": {
            **{CLONE: (2, 3, 5, 7), LEVELS: (5, 7), LONGER: (7,), PPO: (3, 7)},
            **{BOTH: (7,), LONG_PPO: (3, 7)},
        },
        "seeds": 3,
        "steps": {"bc": 393_216, "ppo": 524_288},
        "measure": {"levels": 1_000},
    },
    "paper": {
        "sizes": dict.fromkeys((CLONE, LEVELS, LONGER, PPO, BOTH), (2, 3, 5, 7, 9)),
        "seeds": 20,
        "steps": {"bc": 2_097_152, "ppo": 20_971_520},
        "measure": {"levels": 4_000},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for agent, sizes in settings["sizes"].items():
        for k in sizes:
            runs += grid(
                TASK,
                "proxy",
                range(5000, 5000 + settings["seeds"]),
                {"agent": agent, "corner_size": k},
                env={**ENV_KWARGS, "corner_size": k},
                **_options(agent, settings["steps"]),
            )
    return runs


def _options(agent: str, steps: dict[str, int]) -> dict[str, Any]:
    """Options of ``train`` besides those of the environment."""
    algorithm = "ppo" if agent in (PPO, LONG_PPO) else "bc"
    factor = 4 if agent in FOURFOLD else 1
    options = {"algorithm": algorithm, "total_timesteps": factor * steps[algorithm]}
    return options if agent in UNLIMITED else {**options, **base.OPTIONS[base.BLOCKS]}


class Visits(NamedTuple):
    """Steps of E episodes; an absent step is greater than every length.

    Attributes:
        entry: int64[E], first step that begins in the block.
        corner: int64[E], first step that ends in the corner cell, counted from 1.
        inside: int64[E], steps from the entry on that begin in the block.
        at_corner: int64[E], those of them that begin in the corner cell.
        left: int64[E], all steps from the entry on.
    """

    entry: NDArray[np.int64]
    corner: NDArray[np.int64]
    inside: NDArray[np.int64]
    at_corner: NDArray[np.int64]
    left: NDArray[np.int64]


ABSENT = 1_000_000


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    k, count = point.labels["corner_size"], settings["measure"]["levels"]
    trained, _, _ = _played(policy, "iid", k, count)
    row, episodes, env = _played(policy, "shifted", k, count)
    return [
        {
            "iid_share": trained["true_share"],
            "true_share": row["true_share"],
            "proxy_return": row["proxy_return"],
            **search_facts(env, episodes, k),
        }
    ]


def _played(
    policy: Policy, split: str, k: int, count: int
) -> tuple[dict[str, float], Episodes, BatchedEnv]:
    """Returns on the levels of ``corner-size``, the episodes, and their environment."""
    side = k if split == "iid" else INNER
    env_kwargs = {**ENV_KWARGS, "corner_size": side}
    env = make_environment(TASK, min(count, 256), None, **env_kwargs)
    seeds = env.sample_level_seeds(Levels(split), count, stream_seed(0, f"corner {split}"))
    episodes, outcomes = rollout(policy, env, seeds, task=TASK, seed=0)
    true = outcomes.returns_of("true") * GAMMA ** (outcomes.length - 1.0)
    rewards = episodes.proxy_reward
    if rewards is None:
        raise ValueError(f"{policy.name}: no proxy reward")
    proxy = discounted_returns(rewards, episodes.episode_offsets, GAMMA)
    best = env.optimal_returns(seeds, GAMMA)["true"].mean()
    return {"true_share": true.mean() / best, "proxy_return": proxy.mean()}, episodes, env


def block_cells(k: int) -> NDArray[np.int64]:
    """int64[k²]: row * S + column of the cells of the top-right block, the corner cell last."""
    rows, columns = np.arange(k, 0, -1), np.arange(INNER - k + 1, INNER + 1)
    return (rows[:, None] * (INNER + 2) + columns).ravel()


def visits_of(episodes: Episodes, k: int) -> Visits:
    """When the block was entered and the corner cell visited in every episode."""
    cells = block_cells(k)
    index, offsets = episodes.episode_index, episodes.episode_offsets
    step = np.arange(episodes.num_steps) - offsets[:-1][index]
    entry = np.full(episodes.num_episodes, ABSENT)
    inside = np.isin(episodes.state_id, cells)
    np.minimum.at(entry, index[inside], step[inside])
    corner = np.full(episodes.num_episodes, ABSENT)
    rewarded = np.asarray(episodes.proxy_reward) > 0
    np.minimum.at(corner, index[rewarded], step[rewarded] + 1)
    after = step >= entry[index]

    def counted(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(index[chosen & after], minlength=episodes.num_episodes)

    at_corner = episodes.state_id == cells[-1]
    return Visits(entry, corner, counted(inside), counted(at_corner), counted(after))


def searches_of(env: BatchedEnv, episodes: Episodes, visits: Visits, k: int) -> NDArray[np.int64]:
    """int64[N]: the searches, without those that begin in the corner cell."""
    cells = block_cells(k)
    cheese = (env.landmark_distances(episodes.level_seed)[:, 0] == 0).argmax(axis=1)
    start = episodes.state_id[episodes.episode_offsets[:-1]]
    entered = (visits.entry < ABSENT) & (start != cells[-1])
    return np.flatnonzero(entered & ~np.isin(cheese, cells))


FACTS = ("stays", "corner", "walker", "early", "walker_early", "corner_steps", "even_share")
"""Measured on searches, besides ``late_return`` and ``search_return``."""


def search_facts(env: BatchedEnv, episodes: Episodes, k: int) -> dict[str, int | float | None]:
    """Facts about the searches; None without any."""
    visits, cells = visits_of(episodes, k), block_cells(k)
    chosen = searches_of(env, episodes, visits, k)
    facts: dict[str, int | float | None] = {"searches": len(chosen)}
    if not len(chosen):
        return facts | dict.fromkeys((*FACTS, "late_return", "search_return"))
    entry, corner, inside, at_corner, left = (values[chosen] for values in visits)
    first = episodes.state_id[episodes.episode_offsets[:-1][chosen] + entry]
    successors = env.successors(episodes.level_seed[chosen])
    hits, reached = walker_hits(successors, first, cells, int(left.max()))
    delay, each = corner - entry, np.arange(len(chosen))
    even = reached[:, -1] / reached.sum(axis=1)
    values = (
        inside.sum() / left.sum(),
        (delay <= left).mean(),
        hits[left, each].mean(),
        (delay <= 2 * k).mean(),
        hits[np.minimum(left, 2 * k), each].mean(),
        at_corner.sum() / inside.sum(),
        (inside * even).sum() / inside.sum(),
    )
    return facts | dict(zip(FACTS, values, strict=True)) | _returns(visits.corner, chosen, delay, k)


def _returns(
    corner: NDArray[np.int64], chosen: NDArray[np.int64], delay: NDArray[np.int64], k: int
) -> dict[str, float | None]:
    """Shares of the proxy return: late ones of those on searches, searches of all."""
    paid = np.where(corner < ABSENT, GAMMA ** (np.minimum(corner, ABSENT) - 1.0), 0.0)
    searching = paid[chosen]
    late = searching[delay > 2 * k].sum() / searching.sum() if searching.any() else None
    whole = searching.sum() / paid.sum() if paid.any() else None
    return {"late_return": late, "search_return": whole}


def walker_hits(
    successors: NDArray[np.int32],
    first: NDArray[np.int64],
    cells: NDArray[np.int64],
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Chances of a random walk within a block to have visited its last cell.

    Args:
        successors: int32[N, S², 4], of the environment.
        first: int64[N], cells of entry.
        cells: int64[C], cells of the block, the target last.
        steps: T, length of the walks.

    Returns:
        (float64[T + 1, N] chance after t steps, bool[N, C] cells that the walk can reach).
    """
    moves = _moves(successors, cells)
    chance = np.zeros(moves.shape[:2])
    chance[np.arange(len(first)), _place(cells, first, successors.shape[1])] = 1
    reached = chance > 0
    for _ in cells:
        reached |= np.einsum("nc,ncd->nd", reached, moves) > 0
    moves[:, -1] = 0
    moves[:, -1, -1] = 1  # the walk ends at the target
    hits = [chance[:, -1]]
    for _ in range(steps):
        chance = np.einsum("nc,ncd->nd", chance, moves)
        hits.append(chance[:, -1])
    return np.array(hits), reached


def _moves(successors: NDArray[np.int32], cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[N, C, C]: chances of the moves of the walk; it stays where no neighbour is free."""
    to = _place(cells, successors[:, cells], successors.shape[1])
    own = np.arange(len(cells))
    n, c, a = np.nonzero((to >= 0) & (to != own[None, :, None]))
    moves = np.zeros((len(successors), len(cells), len(cells)))
    moves[n, c, to[n, c, a]] = 1
    moves[:, own, own] = moves.sum(axis=2) == 0
    return moves / moves.sum(axis=2, keepdims=True)


def _place(cells: NDArray[np.int64], of: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Positions in ``cells`` of other cells of a maze with ``count`` cells; -1 where absent."""
    place = np.full(count + 1, -1)
    place[cells] = np.arange(len(cells))
    return place[of]  # -1, a wall, reads the last entry


BY = ("agent", "corner_size")
VALUES = ("iid_share", "true_share", "proxy_return", *FACTS, "late_return", "search_return")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over seeds, and which of the predictions hold."""
    seeds = over_seeds(rows, BY, (*VALUES, "searches"))
    return {"seeds": seeds, "predictions": predictions(seeds)}


LIMIT_VISITS, LIMIT_CHEESE = 0.15, 0.7
"""Tolerances of ``corner-size`` for the proxy return, and for k = 7."""


def predictions(seeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The predictions of the docstring for which there are runs, each with its outcome."""
    of = {(r["agent"], r["corner_size"], r["value"]): r["mean"] for r in seeds}
    rows: list[dict[str, Any]] = []

    def predict(name: str, agent: str, k: int, value: str, sign: str, limit: str | float) -> None:
        ours = of.get((agent, k, value))
        scale = 1.5 if limit == "even_share" else 1.0
        bound = scale * of.get((agent, k, limit), np.nan) if isinstance(limit, str) else limit
        if ours is None or np.isnan(bound):
            return
        holds = ours >= bound if sign == "at least" else ours <= bound
        labels = {"prediction": name, "agent": agent, "corner_size": k, "value": value}
        rows.append({**labels, "ours": ours, "rule": sign, "bound": bound, "holds": bool(holds)})

    for k in (2, 3, 5):
        predict("loitering", CLONE, k, "stays", "at least", 0.8)
        predict("no seeking", CLONE, k, "early", "at most", "walker_early")
        predict("no seeking", CLONE, k, "corner_steps", "at most", "even_share")
    for k in (3, 5):
        predict("late", CLONE, k, "late_return", "at least", 0.5)
    for agent in (PPO, LONG_PPO):
        predict("cloning", agent, 3, "proxy_return", "at most", LIMIT_VISITS)
    for agent in (LEVELS, LONGER, PPO, BOTH, LONG_PPO):
        predict("the cheese", agent, 7, "true_share", "at least", LIMIT_CHEESE)
    return rows


STYLES = {CLONE: ("o-", MEANINGS["proxy"]), LEVELS: ("s--", GREEN)}
STYLES |= {LONGER: ("^", PURPLE), PPO: ("D", BLUE), BOTH: ("v", GREEN), LONG_PPO: ("P", SKY)}
ASIDE = {CLONE: -0.1, LEVELS: 0.1, LONGER: 0.2, PPO: 0.3, BOTH: -0.2, LONG_PPO: -0.3}
"""Shift along the axis, so that points at the same k do not hide each other."""
NAMES = {CLONE: "clone, 2,048 levels", LEVELS: "clone, unlimited levels"}
NAMES |= {LONGER: "clone, four times the steps", PPO: "PPO, 2,048 levels"}
NAMES |= {BOTH: "clone, unlimited levels, four times the steps"}
NAMES |= {LONG_PPO: "PPO, four times the steps"}
SEARCHES = (
    ("corner", "o-", MEANINGS["proxy"], "clone, to the end"),
    ("walker", "o-", GREY, "random walker, to the end"),
    ("early", "s:", MEANINGS["proxy"], "clone, within 2k steps"),
    ("walker_early", "s:", GREY, "random walker, within 2k steps"),
)


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    rows = tables["seeds"]
    figure = new_figure(12.0, 4.8)
    searches, proxy, true = figure.subplots(1, 3, sharey=True)
    for value, style, colour, label in SEARCHES:
        _line(searches, curve(rows, "corner_size", value, agent=CLONE), style, colour, label)
    for axes, value in ((proxy, "proxy_return"), (true, "true_share")):
        for agent in dict.fromkeys(row["agent"] for row in rows):
            points = curve(rows, "corner_size", value, agent=agent)
            x, *values = points
            _line(axes, (x + ASIDE[agent], *values), *STYLES[agent], NAMES[agent])
    sizes = sorted({row["corner_size"] for row in rows})
    _draw_published(proxy, {k: base.PUBLISHED_PROXY[k] for k in sizes})
    optimum = base.PUBLISHED_OPTIMUM
    _draw_published(true, {k: base.PUBLISHED_TRUE[k] / optimum for k in sizes})
    searches.set(title="searches: corner cell visited", ylabel="share, or return")
    proxy.set(title="proxy return, cheese anywhere")
    true.set(title="true return over the optimum")
    for axes in (searches, proxy, true):
        axes.set(xlabel="corner size k, cells (side by side)", xticks=sizes, ylim=(-0.02, 1.02))
    keys = [axes.get_legend_handles_labels() for axes in (searches, true)]
    handles, labels = (above + below for above, below in zip(*keys, strict=True))
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return {"": figure}


def _line(axes: Any, points: tuple[NDArray[Any], ...], style: str, colour: str, label: str) -> None:
    x, mean, low, high = points
    axes.errorbar(
        x, mean, (mean - low, high - mean), fmt=style, markersize=5, color=colour, label=label
    )


def _draw_published(axes: Any, points: dict[int, float]) -> None:
    axes.plot(list(points), list(points.values()), "*", markersize=9, color=INK, label="published")
