"""maze-corner: what share of training levels with the cheese anywhere suffices to learn it?

Every agent is a clone of the shortest paths (network ``conv``). On a share x of the training
levels the cheese is anywhere, on the rest in the corner cell. The share at which the true return
is halfway between the extremes (no such levels, only such levels) is interpolated over the
logarithm of x + 0.001.

The *preference* of an agent is, of the shifted levels on which it reaches a goal, the share on
which it reaches the corner first. Its spread over seeds is listed for every share x, since
``seeds`` finds a narrow one at x = 0 where a wide one was published (colour against shape, arXiv
2312.03762). Hypothesis, fixed before the spread was looked at: it is wide (more than twice the
standard deviation at x = 0) only where training leaves the goal undecided, that is where the mean
preference is between a tenth and nine tenths of the way from that at x = 0 to that at the last x.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.outcomes import MEANING_OF_OUTCOME
from proxylab.plots.scales import broken_log, log_ticks
from proxylab.plots.style import GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison, grid
from proxylab.reproduce.measure import curve, grouped, outcome_rows, over_seeds
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.crossings import crossing_interval
from proxylab_envs.channels import OUTCOMES

CLAIM = (
    "A few training levels with the cheese elsewhere are enough for a mouse to learn the cheese "
    "instead of the corner"
)
TASK = "maze-corner"
OFFSET = 0.001
HALF = 0.5

SOURCE = "CoinRun, arXiv 2105.14111: goal generalisation already improves greatly"
PUBLISHED = 0.02
FACTOR = 5
"""Tolerance, as a factor: another game, and the half-way share for "greatly"."""

SHARES = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
SWEEP = {
    "smoke": {
        "shares": (0.0, 1.0),
        "seeds": 1,
        "total_timesteps": 8_192,
        "measure": {"episodes": 50},
    },
    "laptop": {
        "shares": SHARES,
        "seeds": 10,
        "total_timesteps": 393_216,
        "measure": {"episodes": 1_000},
    },
    "paper": {
        "shares": tuple(sorted({*SHARES, 0.0003, 0.003, 0.2, 0.5})),
        "seeds": 30,
        "total_timesteps": 786_432,
        "measure": {"episodes": 4_000},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for share in settings["shares"]:
        runs += grid(
            TASK,
            "proxy",
            range(6000, 6000 + settings["seeds"]),
            {"share": share},
            levels=f"mix:{share}",
            algorithm="bc",
            total_timesteps=settings["total_timesteps"],
        )
    return runs


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    return outcome_rows(policy, ("iid", "shifted"), **settings["measure"])


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    values = ("true_return", "proxy_return", *OUTCOMES, "proxy_first", "accidental", "by_chance")
    tables = {"seeds": over_seeds(rows, ("split", "share"), values), "half": [half_way(rows)]}
    return {**tables, "preferences": preferences(rows)}


def preferences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spread of the preference over seeds, by share, and what the hypothesis says of it.

    ``deviation`` is the standard deviation over seeds with its interval, ``sampling`` that of
    a binomial share of as many levels.
    """
    groups = grouped([row for row in rows if row["split"] == "shifted"], ("share",))
    spreads = [_spread(share, groups[(share,)]) for (share,) in sorted(groups)]
    first, last = spreads[0], spreads[-1]
    for spread in spreads:
        way = (spread["mean"] - first["mean"]) / (last["mean"] - first["mean"])
        spread["undecided"] = bool(0.1 < way < 0.9)
        spread["wide"] = bool(spread["deviation"] > 2 * first["deviation"])
    return spreads


def _spread(share: float, group: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, range and standard deviation of the preference at one share."""
    each = np.array([preference(row) for row in group])
    drawn = np.random.default_rng(0).integers(len(each), size=(10_000, len(each)))
    low, high = np.quantile(each[drawn].std(axis=1), [0.025, 0.975])
    mean, levels = each.mean(), np.mean([row["episodes"] * _decided(row) for row in group])
    facts = {"share": share, "runs": len(each), "mean": mean, "least": each.min()}
    facts |= {"greatest": each.max(), "deviation": each.std(), "low": low, "high": high}
    return {**facts, "sampling": np.sqrt(mean * (1 - mean) / levels)}


def preference(row: dict[str, Any]) -> float:
    """Of the levels with a goal reached, the share with the corner first."""
    return row["proxy_first"] / _decided(row)


def _decided(row: dict[str, Any]) -> float:
    """Share of levels with a goal reached."""
    return row["proxy_first"] + row["intended"]


def half_way(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The share at which the true return is halfway between the extremes, with its interval.

    A bound above the greatest share of the sweep is set to that share.
    """
    shares = sorted({row["share"] for row in rows})
    of = {(r["seed"], r["share"]): r["true_return"] for r in rows if r["split"] == "shifted"}
    seeds = {seed for seed, _ in of}
    complete = sorted(s for s in seeds if all((s, share) in of for share in shares))
    returns = np.array([[of[seed, share] for share in shares] for seed in complete])
    first, last = returns[:, 0].mean(), returns[:, -1].mean()
    x = np.log(np.array(shares) + OFFSET)
    interval = crossing_interval(
        x, returns, first + HALF * (last - first), np.random.default_rng(0)
    )
    share, low, high = (round(np.exp(min(bound, x[-1])) - OFFSET, 6) for bound in interval)
    ends = {"first": first, "last": last, "runs": len(complete)}
    return {**ends, "share": share, "low": low, "high": high}


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """The half-way share and the share at which CoinRun agents improve greatly."""
    (half,) = tables["half"]
    bounds = (half["share"], half["low"], half["high"])
    passed = half["low"] <= PUBLISHED * FACTOR and half["high"] >= PUBLISHED / FACTOR
    return [
        PublishedComparison(
            "share of levels with the goal elsewhere that does half",
            PUBLISHED,
            SOURCE,
            *bounds,
            f"interval meets {PUBLISHED / FACTOR:g} to {PUBLISHED * FACTOR:g}",
            passed,
            "" if passed else "another game, another network: the two goals differ otherwise",
        )
    ]


LINES = (
    ("true_return", MEANINGS["true"], "true return"),
    ("proxy_return", MEANINGS["proxy"], "corner reached"),
    ("proxy_first", MEANINGS["both"], "corner before the cheese"),
)
PREFERENCE = "corner first, of levels with\na goal reached; a dot per seed"
BASELINES = (
    ("accidental", "--", "cheese reached by a corner-seeker"),
    ("by_chance", ":", "corner first, optimal policy"),
)


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    figure = new_figure(13.0, 4.2)
    returns, outcomes, preferred = figure.subplots(1, 3, sharey=True)
    rows = tables["seeds"]
    shares = sorted({row["share"] for row in rows})
    ticks = broken_log(shares)(shares)
    for value, colour, label in LINES:
        _, mean, low, high = curve(rows, "share", value, split="shifted")
        returns.fill_between(ticks, low, high, color=colour, alpha=0.2, linewidth=0)
        returns.plot(ticks, mean, "o-", markersize=4, color=colour, label=label)
    for value, style, label in BASELINES:
        _, mean, *_ = curve(rows, "share", value, split="shifted")
        returns.axhline(mean[0], color=GREY, linestyle=style, linewidth=1.2, label=label)
    _draw_half(returns, tables["half"][0], shares)
    _draw_outcomes(outcomes, rows, ticks)
    _draw_preferences(preferred, tables["runs"], shares)
    for axes in (returns, outcomes, preferred):
        axes.set(xlabel="training levels with the cheese anywhere (%)", ylim=(-0.02, 1.02))
        log_ticks(axes, shares, [f"{100 * share:g}" for share in shares])
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    returns.set(title="shifted levels", ylabel="share of the optimum, or of levels")
    outcomes.set(title="outcomes on shifted levels")
    preferred.set(title="preference of single agents")
    as_percent(returns.yaxis)
    return {"": figure}


def _draw_half(axes: Any, half: dict[str, Any], shares: list[float]) -> None:
    """A band at the share at which the true return is halfway between the extremes."""
    low, high = broken_log(shares)([half["low"], half["high"]]).tolist()
    axes.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0, label="halfway, 95 % interval")


def _draw_outcomes(axes: Any, rows: list[dict[str, Any]], ticks: NDArray[np.float64]) -> None:
    below = np.zeros(len(ticks))
    for name in OUTCOMES:
        _, mean, *_ = curve(rows, "share", name, split="shifted")
        axes.bar(
            ticks, mean, 0.24, bottom=below, color=MEANINGS[name], label=MEANING_OF_OUTCOME[name]
        )
        below += mean


def _draw_preferences(axes: Any, rows: list[dict[str, Any]], shares: list[float]) -> None:
    """The preference of every agent, side by side within a share."""
    for (share,), group in grouped(
        [r for r in rows if r["split"] == "shifted"], ("share",)
    ).items():
        places = broken_log(shares)(share) + np.linspace(-0.1, 0.1, len(group))
        label = PREFERENCE if share == shares[0] else None
        points = [preference(row) for row in group]
        axes.plot(places, points, ".", color=MEANINGS["proxy"], label=label)
