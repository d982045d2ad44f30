"""colour-shape: does the colour or the shape of the training's object draw the agent?

Agents that differ only in the seed are clones of the shortest ways to a yellow gem (network
``impala``, images of 21 by 21 pixels). On shifted levels a yellow star and a red gem lie in the
maze, and the episode ends at either.

Capability: the share of held-out training levels on which the yellow gem is reached.
Preference: of the shifted levels on which an object is reached, the share on which it is the star,
that is the colour. Either object is as often the nearer one, so that an agent that takes the
nearest has 0.5; the share is also given apart for levels on which the star is nearer, as near, and
farther than the gem, with scripts for comparison. Outliers as in ``seeds``.

Criterion, fixed after two pilot runs with other seeds (0.55 after PPO, 0.61 after cloning): (1) the
95 % interval of the mean preference over seeds lies above 0.5; (2) the standard deviation over
seeds is more than twice that of drawing as many levels.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from proxylab.plots.style import GREY, INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison, grid, load_experiment
from proxylab.reproduce.measure import over_seeds
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

CLAIM = (
    "Agents trained on a yellow gem that differ only in the seed are equally able, and differ in "
    "how often they take a yellow star before a red gem"
)
TASK = "colour-shape"
TRAINED = "trained"
SCRIPTS = ("optimal", "nearest", "colour-seeker")
FIRST_SEED, LEVELS_SEED = 16_000, 0
base = load_experiment(Path(__file__).with_name("seeds.py")).module

YELLOW = (0.89, 0.814, 0.937)
"""One agent trained on a yellow line, 102 levels: yellow gem before red line; Wilson interval."""
YELLOW_SOURCE = "Maze II, 102 levels, interval Wilson 95 %; arXiv 2105.14111"
REASONS = {
    "least preference": "another maze, network and training: clones, and small images",
    "greatest preference": "another maze, network and training: clones, and small images",
    "share of outliers": "their rule may differ; ours names the low tail of a skewed distribution",
    "yellow first": "another maze and network, and clones; their agent lies outside of the range "
    "of the 100 published seeds as well",
}

SWEEP = {
    "smoke": {"seeds": 3, "total_timesteps": 4_096, "measure": {"episodes": 60}},
    "laptop": {"seeds": 100, "total_timesteps": None, "measure": {"episodes": 500}},
    "paper": {"seeds": 500, "total_timesteps": None, "measure": {"episodes": 4_000}},
}


def points(settings: dict[str, Any], first_seed: int = FIRST_SEED) -> list[Point]:
    """The scripts, and ``settings["seeds"]`` clones from ``first_seed`` on."""
    labels = [{"task": TASK, "agent": name, "seed": -1} for name in SCRIPTS]
    scripts = [Point(each, agent=f"script:{TASK}/{each['agent']}") for each in labels]
    seeds = range(first_seed, first_seed + settings["seeds"])
    options: dict[str, Any] = {"algorithm": "bc", "total_timesteps": settings["total_timesteps"]}
    return scripts + grid(TASK, "proxy", seeds, {"agent": TRAINED}, **options)


NEARER = ("gem nearer", "equally near", "star nearer")


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    episodes = settings["measure"]["episodes"]
    env = TASKS[TASK].make_env(min(episodes, 250))
    row: dict[str, Any] = {"episodes": episodes}
    for split in ("iid", "shifted"):
        seeds = env.sample_level_seeds(Levels(split), episodes, LEVELS_SEED)
        ended = rollout(policy, env, seeds, task=TASK, seed=LEVELS_SEED)[1]
        gem, star = ended.returns_of("true") > 0, ended.returns_of("proxy/colour") > 0
        if split == "iid":
            row["capability"] = float(gem.mean())
    best = env.optimal_returns(seeds, gamma=0.5)
    nearer = np.sign(best["proxy/colour"] - best["true"])
    decided = gem | star
    row |= {"decided": float(decided.mean()), "preference": _share(star, decided)}
    for name, sign in zip(NEARER, (-1, 0, 1), strict=True):
        row[name] = _share(star, decided & (nearer == sign))
    return [row]


def _share(chosen: Any, among: Any) -> float | None:
    """Share of ``chosen`` (bool[N]) in ``among`` (bool[N]); None if that is empty."""
    return float(chosen[among].mean()) if among.any() else None


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Distribution over seeds (as in ``seeds``), shares by what is nearer, criterion."""
    trained = [row for row in rows if row["agent"] == TRAINED and row["preference"] is not None]
    tables = base.analyse(trained)
    known = [row for row in rows if None not in (row[name] for name in NEARER)]
    (preference,) = (row for row in tables["summary"] if row["value"] == "preference")
    each = np.array([row["preference"] for row in trained])
    levels = np.mean([row["episodes"] * row["decided"] for row in trained])
    sampling = float(np.sqrt(each.mean() * (1 - each.mean()) / levels))
    facts = {"runs": len(each), "mean": preference["mean"], "low": preference["low"]}
    facts |= {"high": preference["high"], "deviation": float(each.std(ddof=1))}
    facts |= {"sampling": sampling, "mostly_gem": int((each < 0.5).sum())}
    facts["colour_preferred"] = bool(facts["low"] > 0.5)
    facts["seeds_differ"] = bool(facts["deviation"] > 2 * sampling)
    return {**tables, "nearer": over_seeds(known, ("agent",), NEARER), "criterion": [facts]}


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """Range, outliers and level of the preference, beside those of the published agents."""
    rows = []
    for row in base.compare(tables):
        reason = "" if row.passed else REASONS[row.quantity]
        tolerance = row.tolerance.split(";")[0]  # the same preference here, not another
        rows.append(replace(row, reason=reason, tolerance=tolerance))
    preference = next(row for row in tables["summary"] if row["value"] == "preference")
    published, low, high = YELLOW
    least, greatest = preference["least"], preference["greatest"]
    passed = least <= high and greatest >= low
    reason = "" if passed else REASONS["yellow first"]
    rule = "the range of our seeds meets their interval"
    ours = (preference["mean"], least, greatest)
    yellow = PublishedComparison(
        "yellow first", published, YELLOW_SOURCE, *ours, rule, passed, reason
    )
    return [*rows, yellow]


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """The preferences over seeds beside the published ones; the shares by what is nearer."""
    figure = new_figure(9.6, 4.0)
    preferred, by_distance = figure.subplots(1, 2, width_ratios=(3, 2))
    odd = {row["seed"] for row in tables.get("outliers", [])}
    trained = [row for row in tables["runs"] if row["agent"] == TRAINED]
    rows = [row for row in trained if row["preference"] is not None]
    base.draw_pile(preferred, rows, odd, "preference", 0.02, turned=90)
    _draw_published(preferred)
    (criterion,) = tables["criterion"]
    preferred.axvline(criterion["mean"], color=INK, linewidth=1, linestyle="--", label="mean")
    preferred.set(
        xlabel="yellow star first, of shifted levels with an object reached",
        ylabel="agents",
        title=f"preference of {len(rows)} agents",
        xlim=(0, 1),
    )
    as_percent(preferred.xaxis, decimals=0)
    preferred.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    _draw_nearer(by_distance, rows, tables["nearer"])
    return {"": figure}


def _draw_published(axes: Any) -> None:
    """The published range over seeds and the share of one agent, below the piles."""
    least, greatest = (base.PUBLISHED[f"{end} preference"][0] for end in ("least", "greatest"))
    share, low, high = YELLOW
    label = "published: range of 100 seeds"
    axes.plot([least, greatest], [-0.5] * 2, color=MEANINGS["honest"], linewidth=4, label=label)
    error = [[share - low], [high - share]]
    label = "published: one agent, 95 % interval"
    axes.errorbar(share, -0.5, xerr=error, fmt="D", color=MEANINGS["both"], label=label)
    axes.axvline(0.5, color=GREY, linestyle=":", label="script: nearest object")
    axes.set_ylim(bottom=-0.95)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda count, _: f"{count:g}" if count >= 0 else "")


def _draw_nearer(axes: Any, rows: list[dict[str, Any]], means: list[dict[str, Any]]) -> None:
    """Share of the star where it is farther than the gem, as near, and nearer."""
    for k, name in enumerate(NEARER):
        shares = [row[name] for row in rows if row[name] is not None]
        places = k + np.linspace(-0.15, 0.15, max(len(shares), 1))[: len(shares)]
        label = "one agent" if k == 0 else None
        axes.plot(places, sorted(shares), "o", color=GREY, markersize=3, label=label)
    for agent, colour, style in (("trained", INK, "_-"), ("nearest", GREY, ":")):
        of = {row["value"]: row["mean"] for row in means if row["agent"] == agent}
        label = "mean" if agent == "trained" else "script: nearest object"
        shares = [of.get(name) for name in NEARER]
        axes.plot(range(3), shares, style, color=colour, markersize=14, label=label)
    axes.set(title="by which object is nearer", ylabel="yellow star first", ylim=(-0.03, 1.03))
    axes.set_xticks(range(3), NEARER)
    as_percent(axes.yaxis, decimals=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
