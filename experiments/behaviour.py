"""procgen-maze: where the ways to cheese and corner part, what decides for the cheese?

A *decision square* is the last cell that the ways to the cheese and to the corner share.
Agents are trained with the cheese in the top-right 5×5 block. On levels that have a decision
square, with the cheese outside that block, a logistic regression predicts from distances
whether the mouse takes the cheese first; the published one stands beside it.

How much things weigh against places in the network (``look_scale``) was chosen by one agent, of
seed 0, which is not among those that are measured.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from proxylab.environments.resolve import make_environment
from proxylab.plots.style import INK, MEANINGS, VERMILLION, as_percent, new_figure, styled
from proxylab.reproduce.experiment import PublishedComparison, grid
from proxylab.reproduce.measure import over_seeds
from proxylab.rollouts.rollout import rollout
from proxylab.seeds import stream_seed
from proxylab_envs.channels import BOTH, INTENDED
from proxylab_envs.levels import Levels

CLAIM = (
    "At a decision square a mouse trained with the cheese near the corner takes the cheese the "
    "more often, the nearer it lies: to the corner, to the square, in steps and as the crow flies"
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
"""Penalty on squared coefficients, per level; it keeps them finite where nothing is in doubt."""

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
        "total_timesteps": None,
        "measure": {"levels": 10_000},
    },
    "paper": {
        "seeds": 20,
        "modes": ("easy", "hard"),
        "looks": (0.3, 1.0),
        "total_timesteps": None,
        "measure": {"levels": 10_000},
    },
}


def points(settings):
    found = []
    for mode in settings["modes"]:
        for look in settings["looks"]:
            env = {"corner_size": BLOCK} | ({} if mode == "easy" else {"mode": mode})
            found += grid(
                TASK,
                "proxy",
                range(1, 1 + settings["seeds"]),
                {"mode": mode, "look_scale": look},
                env=env,
                sizes={"look_scale": look},
                total_timesteps=settings["total_timesteps"],
            )
    return found


def measure(policy, point, settings):
    count = settings["measure"]["levels"]
    env_kwargs = {"corner_size": BLOCK, "mode": point.labels["mode"]}
    world = make_environment(TASK, min(count, 256), None, **env_kwargs)
    seeds = world.sample_level_seeds(Levels("shifted"), count, stream_seed(0, "shifted"))
    chosen, features = _doubtful(world, seeds)
    _, found = rollout(policy, world, seeds[chosen], task=TASK, seed=0)
    took = np.isin(found.outcome, (INTENDED, BOTH)) & ~found.proxy_first
    return [
        {
            "levels": count,
            "doubtful": len(chosen),
            "took the cheese": took.mean(),
            "always the commoner": max(took.mean(), 1 - took.mean()),
            **regression(features[chosen], took),
        }
    ]


def _doubtful(world, seeds):
    """Levels with a decision square and the cheese outside the block; all levels' features."""
    squares = world.decision_squares(seeds)
    distances = world.landmark_distances(seeds)
    size = world.config.size
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


def regression(features, took):
    """Logistic regression of ``took`` (bool[N]) on standardised ``features`` (float64[N, F]).

    Returns:
        {feature: coefficient}, ``accuracy`` on the levels of the other half, each half
        predicted by the other's fit.
    """
    x = (features - features.mean(0)) / np.maximum(features.std(0), 1e-9)
    halves = np.arange(len(took)) % 2
    right = sum(
        (
            (_logits(_fit(x[halves != h], took[halves != h]), x[halves == h]) > 0)
            == took[halves == h]
        ).sum()
        for h in range(2)
    )
    coefficients = dict(zip(FEATURES, _fit(x, took)[1:], strict=True))
    return {**coefficients, "accuracy": right / max(len(took), 1)}


def _logits(weights, x):
    return weights[0] + x @ weights[1:]


def _fit(x, took):
    """float64[1 + F]: intercept and coefficients, by maximum likelihood with a small ridge."""

    def loss(weights):
        z = _logits(weights, x)
        error = (expit(z) - took) / max(len(took), 1)
        gradient = np.concatenate([[error.sum()], x.T @ error + RIDGE * weights[1:]])
        value = (np.logaddexp(0, z) - took * z).sum() / max(len(took), 1)
        return value + RIDGE / 2 * (weights[1:] ** 2).sum(), gradient

    return minimize(loss, np.zeros(1 + x.shape[1]), jac=True, method="L-BFGS-B").x


def analyse(rows):
    return {"seeds": over_seeds(rows, ("mode", "look_scale"), tuple(PUBLISHED))}


def compare(tables):
    """Signs of the coefficients; accuracy above the commoner answer's; the share within .1."""
    hardest = [row for row in tables["seeds"] if row["look_scale"] == 0.3] or tables["seeds"]
    mode = sorted({row["mode"] for row in hardest})[-1]
    rows = {row["value"]: row for row in hardest if row["mode"] == mode}
    base = rows["always the commoner"]["mean"]
    found = []
    for name, published in PUBLISHED.items():
        row = rows[name]
        if name in FEATURES:
            rule, passed = "same sign, interval without 0", row["high"] < 0
        elif name == "accuracy":
            rule, passed = "above that of always answering the commoner", row["mean"] > base
        else:
            rule, passed = "within .1", abs(row["mean"] - published) <= 0.1
        reason = "" if passed else _reason(mode)
        found.append(
            PublishedComparison(
                name, published, SOURCE, row["mean"], row["low"], row["high"], rule, passed, reason
            )
        )
    return found


def _reason(mode):
    return f"{mode} mode, another network and 100 times fewer steps of training"


@styled
def draw(tables):
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
            axes.bar(x, mean, 0.23, color=colours[k % 3], label=f"things weigh {look:g}")
            axes.errorbar(x, mean, (mean - low, high - mean), fmt="none", color=INK, capsize=2)
    for axes, names in ((shares, ("took the cheese", "accuracy")), (coefficients, FEATURES)):
        axes.plot(
            np.arange(len(names)),
            [PUBLISHED[n] for n in names],
            "D",
            color=VERMILLION,
            label="published",
        )
        axes.set_xticks(range(len(names)), [n.replace(", ", ",\n") for n in names])
    shares.set(ylim=(0, 1.02), title="at decision squares")
    as_percent(shares.yaxis)
    coefficients.axhline(0, color=INK, linewidth=0.8)
    coefficients.set(title="what decides", ylabel="coefficient per standard deviation")
    handles, labels = coefficients.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"": figure}
