"""procgen-maze: which distances predict the choice between cheese and corner?

A *decision square* is the last cell that the shortest paths to the cheese and to the corner
share. Agents are trained with the cheese in the top-right 5×5 block. On levels that have a
decision square and the cheese outside that block, a logistic regression predicts from
distances whether the mouse takes the cheese first; it is compared with the published one.

The agents have the network with built-in planning (``value-iteration``) and are trained by PPO.
The object-weight scale of the network (``look_scale``) was chosen with one agent, of seed 0,
which is not among the agents measured.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from proxylab.environments.resolve import make_environment
from proxylab.plots.style import INK, MEANINGS, VERMILLION, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison, grid
from proxylab.reproduce.measure import over_seeds
from proxylab.reproduce.networks import VALUE_ITERATION
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab_envs.channels import BOTH, INTENDED
from proxylab_envs.levels import Levels

CLAIM = (
    "At a decision square a mouse trained with the cheese near the corner takes the cheese more "
    "often the nearer it is to the corner and to the square, in steps and in a straight line"
)
TASK = "procgen-maze"
BLOCK = 5
FEATURES = ("cheese to corner, straight", "square to cheese, steps", "square to cheese, straight")
"""Distances in cells; each is standardised, so coefficients are per standard deviation."""

SOURCE = "Procgen maze network, rand_region 5; arXiv 2310.08043 and its two posts"
PUBLISHED = {
    "took the cheese": 0.714,
    "accuracy": 0.824,
    "always the commoner": 0.714,
    FEATURES[0]: -1.405,
    FEATURES[1]: -0.577,
    FEATURES[2]: -0.516,
}
"""On 5,239 of 10,000 levels in hard mode."""

RIDGE = 1e-3
"""Penalty on squared coefficients, per level; it keeps them finite on separable data."""

SWEEP = {
    "smoke": {
        "seeds": 1,
        "modes": ("easy",),
        "looks": (0.3,),
        "total_timesteps": 8_192,
        "measure": {"levels": 200},
    },
    "laptop": {
        "seeds": 5,
        "modes": ("easy",),
        "looks": (0.3, 1.0),
        "total_timesteps": 1_048_576,
        "measure": {"levels": 10_000},
    },
    "paper": {
        "seeds": 20,
        "modes": ("easy", "hard"),
        "looks": (0.3, 1.0),
        "total_timesteps": 1_048_576,
        "measure": {"levels": 10_000},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for mode in settings["modes"]:
        for look in settings["looks"]:
            env = {"corner_size": BLOCK} | ({} if mode == "easy" else {"mode": mode})
            runs += grid(
                TASK,
                "proxy",
                range(1, 1 + settings["seeds"]),
                {"mode": mode, "look_scale": look},
                env=env,
                **{**VALUE_ITERATION, "sizes": {**VALUE_ITERATION["sizes"], "look_scale": look}},
                total_timesteps=settings["total_timesteps"],
            )
    return runs


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    count = settings["measure"]["levels"]
    env_kwargs = {"corner_size": BLOCK, "mode": point.labels["mode"]}
    env = make_environment(TASK, min(count, 256), None, **env_kwargs)
    seeds = env.sample_level_seeds(Levels("shifted"), count, stream_seed(0, "shifted"))
    chosen, features = _ambiguous_levels(env, seeds)
    _, outcomes = rollout(policy, env, seeds[chosen], task=TASK, seed=0)
    took = np.isin(outcomes.outcome, (INTENDED, BOTH)) & ~outcomes.proxy_first
    return [
        {
            "levels": count,
            "doubtful": len(chosen),
            "took the cheese": took.mean(),
            "always the commoner": max(took.mean(), 1 - took.mean()),
            **regression(features[chosen], took),
        }
    ]


def _ambiguous_levels(
    env: Any, seeds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Levels with a decision square and the cheese outside the block; all levels' features."""
    squares = env.decision_squares(seeds)
    distances = env.landmark_distances(seeds)
    size = env.config.size
    cheese, corner = ((distances[:, k] == 0).argmax(1) for k in range(2))
    at = {
        name: np.stack(np.divmod(cell, size), 1)
        for name, cell in (("cheese", cheese), ("corner", corner), ("square", squares))
    }
    outside = np.abs(at["cheese"] - at["corner"]).max(1) >= BLOCK
    features = np.stack(
        [
            np.hypot(*(at["cheese"] - at["corner"]).T),
            distances[np.arange(len(seeds)), 0, squares],
            np.hypot(*(at["cheese"] - at["square"]).T),
        ],
        axis=1,
    )
    return np.flatnonzero(outside & (squares >= 0)), features


def regression(features: NDArray[np.float64], took: NDArray[np.bool_]) -> dict[str, float]:
    """Logistic regression of ``took`` (bool[N]) on standardised ``features`` (float64[N, F]).

    Returns:
        {feature: coefficient}, ``accuracy`` by cross-validation: each half of the levels
        is predicted by the fit to the other half.
    """
    x = (features - features.mean(0)) / np.maximum(features.std(0), 1e-9)
    halves = np.arange(len(took)) % 2
    correct = sum(
        (
            (_logits(_fit(x[halves != h], took[halves != h]), x[halves == h]) > 0)
            == took[halves == h]
        ).sum()
        for h in range(2)
    )
    coefficients = dict(zip(FEATURES, _fit(x, took)[1:], strict=True))
    return {**coefficients, "accuracy": correct / max(len(took), 1)}


def _logits(weights: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights[0] + x @ weights[1:]


def _fit(x: NDArray[np.float64], took: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[1 + F]: intercept and coefficients, by maximum likelihood with a small ridge."""

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = _logits(weights, x)
        error = (expit(z) - took) / max(len(took), 1)
        gradient = np.concatenate([[error.sum()], x.T @ error + RIDGE * weights[1:]])
        value = (np.logaddexp(0, z) - took * z).sum() / max(len(took), 1)
        return value + RIDGE / 2 * (weights[1:] ** 2).sum(), gradient

    return minimize(loss, np.zeros(1 + x.shape[1]), jac=True, method="L-BFGS-B").x


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {"seeds": over_seeds(rows, ("mode", "look_scale"), tuple(PUBLISHED))}


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """Signs of the coefficients; accuracy above that of the majority class; share within 0.1."""
    hardest = [row for row in tables["seeds"] if row["look_scale"] == 0.3] or tables["seeds"]
    mode = sorted({row["mode"] for row in hardest})[-1]
    rows = {row["value"]: row for row in hardest if row["mode"] == mode}
    base = rows["always the commoner"]["mean"]
    comparisons = []
    for name, published in PUBLISHED.items():
        row = rows[name]
        if name in FEATURES:
            rule, passed = "same sign, interval without 0", row["high"] < 0
        elif name == "accuracy":
            rule, passed = "above that of always answering the commoner", row["mean"] > base
        else:
            rule, passed = "within .1", abs(row["mean"] - published) <= 0.1
        reason = "" if passed else _reason(mode)
        comparisons.append(
            PublishedComparison(
                name, published, SOURCE, row["mean"], row["low"], row["high"], rule, passed, reason
            )
        )
    return comparisons


def _reason(mode: str) -> str:
    return f"{mode} mode, another network and 100 times fewer steps of training"


TICKS = {"took the cheese": "cheese taken", "accuracy": "predicted by\nthe regression"}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    figure = new_figure(9.0, 3.8)
    shares, coefficients = figure.subplots(1, 2, width_ratios=(1, 1.5))
    rows = [row for row in tables["seeds"] if row["mode"] == tables["seeds"][0]["mode"]]
    looks = sorted({row["look_scale"] for row in rows})
    colours = [MEANINGS["neither"], MEANINGS["both"], MEANINGS["intended"]]
    for k, look in enumerate(looks):
        of = {row["value"]: row for row in rows if row["look_scale"] == look}
        for axes, names in ((shares, ("took the cheese", "accuracy")), (coefficients, FEATURES)):
            x = np.arange(len(names)) + 0.25 * (k - (len(looks) - 1) / 2)
            mean, low, high = (np.array([of[n][c] for n in names]) for c in ("mean", "low", "high"))
            axes.bar(x, mean, 0.23, color=colours[k % 3], label=f"object-weight scale {look:g}")
            axes.errorbar(x, mean, (mean - low, high - mean), fmt="none", color=INK, capsize=2)
    for axes, names in ((shares, ("took the cheese", "accuracy")), (coefficients, FEATURES)):
        axes.plot(
            np.arange(len(names)),
            [PUBLISHED[n] for n in names],
            "D",
            color=VERMILLION,
            label="published",
        )
        axes.set_xticks(range(len(names)), [TICKS.get(n, n.replace(", ", ",\n")) for n in names])
    shares.set(ylim=(0, 1.02), title="decision squares", ylabel="share of squares")
    as_percent(shares.yaxis)
    coefficients.axhline(0, color=INK, linewidth=0.8)
    coefficients.set(title="logistic regression", ylabel="coefficient per standard deviation")
    handles, labels = coefficients.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"": figure}
