"""maze-corner: are the outliers of ``seeds`` outliers on other levels too?

The outliers in the committed table of ``seeds`` are trained again, and three times as many of its
other agents, those with the lowest seeds. Each plays the shifted levels of ``seeds`` and 2,000
other ones. *Preference* as there. On the other levels an agent's z-score is its distance from the
mean of the agents that were no outliers, over their standard deviation.

Fixed before the runs: an outlier is *repeated* if it is at least 2 standard deviations below that
mean on the other levels, and below all of these agents. If no more than half of the outliers are
repeated, the evaluation's 500 levels made them.

That rule takes for granted that an agent trained again is the same agent. It is where versions and
machine are the same, and only similar elsewhere. The correlations, added after the runs, tell the
two apart: of the preferences on the two sets of levels, and of those of the two trainings on the
same levels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from proxylab.plots.style import GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, grid, load_experiment
from proxylab.reproduce.measure import outcome_rows
from proxylab.rollouts.rollout import Policy
from proxylab.storage import store

CLAIM = (
    "How strongly an agent prefers the corner is a property of the agent, not of the levels of its "
    "evaluation; an outlier among seeds need not be one when it is trained again"
)
TASK = "maze-corner"
base = load_experiment(Path(__file__).with_name("seeds.py")).module
TABLE = Path(__file__).parents[1] / "results" / "tables" / "seeds-outliers.csv"
OTHER = 1
"""Seed of the other levels."""
BELOW = 2.0

SWEEP = {
    "smoke": {"most": 1, "ratio": 2, "total_timesteps": 8_192, "measure": {"episodes": (40, 40)}},
    "laptop": {
        "most": 10,
        "ratio": 3,
        "total_timesteps": None,
        "measure": {"episodes": (500, 2_000)},
    },
    "paper": {
        "most": 100,
        "ratio": 10,
        "total_timesteps": None,
        "measure": {"episodes": (2_000, 10_000)},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    outliers = [row["seed"] for row in store.read_table(TABLE)][: settings["most"]]
    first = base.points(base.SWEEP["smoke"])[0].labels["seed"]
    seeds = range(first, first + (settings["ratio"] + 1) * len(outliers))
    others = [seed for seed in seeds if seed not in outliers][: settings["ratio"] * len(outliers)]
    runs = []
    for group, chosen in (("outlier", outliers), ("other", others)):
        steps = settings["total_timesteps"]
        labels = {"group": group}
        runs += grid(TASK, "proxy", chosen, labels, algorithm="bc", total_timesteps=steps)
    return runs


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    first, more = settings["measure"]["episodes"]
    (same,) = outcome_rows(policy, ("shifted",), first)
    (other,) = outcome_rows(policy, ("shifted",), more, OTHER)
    return [{"preference": preference(same), "other_preference": preference(other)}]


def preference(row: dict[str, Any]) -> float | None:
    """Of the levels with a goal reached, the share with the corner first; None without any."""
    decided = row["proxy_first"] + row["intended"]
    return row["proxy_first"] / decided if decided else None


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The outliers on both sets of levels, and how many are repeated."""
    rows = [row for row in rows if None not in (row["preference"], row["other_preference"])]
    others = np.array([r["other_preference"] for r in rows if r["group"] == "other"])
    outliers = [row for row in rows if row["group"] == "outlier"]
    if len(others) < 2 or not outliers:
        return {}
    mean, deviation, least = others.mean(), others.std(ddof=1), others.min()
    table = []
    for row in outliers:
        value = row["other_preference"]
        z = (value - mean) / deviation
        repeated = bool(z <= -BELOW and value < least)
        names = ("seed", "preference", "other_preference")
        table.append({**{n: row[n] for n in names}, "z": z, "repeated": repeated})
    facts = {"others": len(others), "mean": mean, "deviation": deviation, "least": least}
    count = sum(row["repeated"] for row in table)
    share = [{"outliers": len(table), "repeated": count, **facts}]
    return {"repeated": table, "share": share, "correlations": correlations(rows)}


def correlations(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Correlations of the preferences over agents, with bootstrap intervals."""
    known = {
        r["seed"]: r["preference"] for r in store.read_table(TABLE.with_name("seeds-runs.csv"))
    }
    both = [row for row in rows if row["seed"] in known]
    pairs = {
        "other levels": [(row["preference"], row["other_preference"]) for row in rows],
        "first training": [(row["preference"], known[row["seed"]]) for row in both],
    }
    return [{"with": name, **_correlation(np.array(p))} for name, p in pairs.items() if len(p) > 2]


def _correlation(pairs: NDArray[np.float64]) -> dict[str, Any]:
    """Pearson's correlation of float64[N, 2]; resamples without a spread are left out."""
    drawn = np.random.default_rng(0).integers(len(pairs), size=(5_000, len(pairs)))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = [np.corrcoef(pairs[d].T)[0, 1] for d in drawn]
        own = np.corrcoef(pairs.T)[0, 1]
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return {"runs": len(pairs), "correlation": own, "low": low, "high": high}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    figure = new_figure(5.6, 4.0)
    axes = figure.subplots()
    for group, colour in (("other", GREY), ("outlier", MEANINGS["proxy"])):
        chosen = [row for row in tables["runs"] if row["group"] == group]
        x, y = ([row[name] for row in chosen] for name in ("preference", "other_preference"))
        axes.plot(x, y, "o", color=colour, alpha=0.7, label=f"{group} ({len(chosen)})")
    axes.axline((0.7, 0.7), slope=1, color=GREY, linewidth=1, linestyle=":", label="equal")
    axes.grid(visible=True, axis="both")
    axes.set(
        xlabel="preference on the 500 levels of seeds",
        ylabel="preference on 2,000 other levels",
        title="corner first, of levels with a goal reached",
        aspect="equal",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.02))
        as_percent(axis, decimals=0)
    axes.legend()
    return {"": figure}
