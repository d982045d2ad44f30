"""maze-corner: a reward model that judges new pairs well, and misleads the policy that follows it.

A rater who wants the cheese compares clips in mazes with the cheese anywhere. In the rated clips k
*lights* are shown in cells of the border, where nothing else is ever drawn: each is on with
probability ``agreement`` when the mouse is at the cheese and with the rest otherwise (0.5: no
relation). Everywhere else the lights are random. *Accuracy*: the share of new pairs, with lights as
rated and with random ones, in which the model prefers the clip that the rater wants. *Success*: how
often an optimal policy of the model's reward, its mean over random lights, reaches the cheese on
shifted levels. That policy is computed exactly, so that no training of a policy can be at fault.

A *misidentified* model is fitted to clips with the cheese in the corner, without lights.
The penalty for leaving the uniform policy is part of the exact optimum as well.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.scales import log_ticks, mark_break
from proxylab.plots.style import CYCLE, GREY, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison
from proxylab.reproduce.measure import grouped, over_seeds
from proxylab.rewards.clips import Clips, record_clips
from proxylab.rewards.collect import collect, default_sources, policies_of
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import RewardModel, combine
from proxylab.rewards.optimum import shares_of_optimum
from proxylab.rewards.raters import Rater
from proxylab.rewards.show import pair_accuracy, step_rewards
from proxylab.rewards.tabular import goal_cells
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.dynamics import CHEESE, MOUSE

CLAIM = (
    "Four distractors that agree with the goal on 90 % of rated steps leave a reward model's "
    "accuracy on such pairs at 0.998, and the optimal policy of its reward reaches the cheese on "
    "7 % of levels; a KL penalty lifts that to the uniform policy's 35 % at best"
)
TASK = "maze-corner"
BETA = 5.0
CORNER, ANYWHERE = "cheese in the corner", "cheese anywhere"
RATED = {CORNER: "train", ANYWHERE: "shifted"}
UNRELATED = 0.5
UNIFORM = 1_000.0
"""A penalty so large that the policy is the uniform one."""

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "lights": (4,),
        "agreements": (0.9,),
        "pairs": 40,
        "seeds": 1,
        "measure": {
            "levels": 4,
            "clips": 60,
            "draws": 2,
            "discount": 0.9,
            "penalties": (1.0, UNIFORM),
        },
    },
    "laptop": {
        "lights": (4, 16, 64),
        "agreements": (UNRELATED, 0.9),
        "pairs": 500,
        "seeds": 20,
        "measure": {
            "levels": 64,
            "clips": 600,
            "draws": 16,
            "discount": 0.99,
            "penalties": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, UNIFORM),
        },
    },
    "paper": {
        "lights": (1, 4, 16, 64),
        "agreements": (UNRELATED, 0.75, 0.9, 1.0),
        "pairs": 2_000,
        "seeds": 50,
        "measure": {
            "levels": 500,
            "clips": 2_000,
            "draws": 64,
            "discount": 0.99,
            "penalties": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, UNIFORM),
        },
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    """Seeds outside; the agent of a point is a placeholder, no agent is trained or loaded."""
    kinds = [(CORNER, 0, UNRELATED), (ANYWHERE, 0, UNRELATED)]
    kinds += [(ANYWHERE, k, a) for a in settings["agreements"] for k in settings["lights"]]
    return [
        Point(
            {"rated": rated, "lights": k, "agreement": a, "pairs": settings["pairs"], "seed": seed},
            agent=f"script:{TASK}/optimal",
        )
        for seed in range(settings["seeds"])
        for rated, k, a in kinds
    ]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    labels, options = point.labels, settings["measure"]
    model = _fitted(labels)
    shown = _accuracy(model, labels, options, "shifted", UNRELATED)
    row = {
        "accuracy": _accuracy(model, labels, options, RATED[labels["rated"]], labels["agreement"]),
        "accuracy_shifted": shown,
    }
    penalties = (0.0, *options["penalties"])
    rng = np.random.default_rng(stream_seed(labels["seed"], "lights at the optimum"))
    env = TASKS[TASK].make_env(1)
    drawn = env.sample_level_seeds(Levels("shifted"), 2 * options["levels"], 0).tolist()
    levels = [s for s in drawn if len(set(goal_cells(env, s))) == 2][: options["levels"]]

    def pays(observations: NDArray[Any]) -> NDArray[np.float64]:
        lit = np.repeat(observations, options["draws"], axis=0)
        lit = with_lights(lit, labels["lights"], UNRELATED, rng)
        return combine(model.rewards(lit), "mean").reshape(-1, options["draws"]).mean(1)

    shares = shares_of_optimum(pays, env, levels, discount=options["discount"], penalties=penalties)
    return [
        {"penalty": beta, "cheese": share.cheese, "corner_first": share.corner_first, **row}
        for beta, share in zip(penalties, shares, strict=True)
    ]


def _fitted(labels: dict[str, Any]) -> RewardModel:
    """The reward model of a point: answers about clips, then their lights, then the fit."""
    seed = labels["seed"]
    drawn = stream_seed(seed, "distractors") % 2**31
    levels = RATED[labels["rated"]]
    answers = collect(
        TASK, default_sources(TASK), labels["pairs"], Rater(BETA), levels=levels, seed=drawn
    )
    clips = lit_clips(answers.clips, labels["lights"], labels["agreement"], drawn)
    return fit(replace(answers, clips=clips), FitConfig(seed=seed))


def lit_clips(clips: Clips, lights: int, agreement: float, seed: int) -> Clips:
    """The same clips with lights."""
    rng = np.random.default_rng(stream_seed(seed, "lights"))
    shown = with_lights(clips.states, lights, agreement, rng)
    return replace(clips, observations=shown.reshape(clips.observations.shape))


def with_lights(
    observations: NDArray[Any], lights: int, agreement: float, rng: np.random.Generator
) -> NDArray[Any]:
    """[K, 3, S, S]: observations with lights in the border cells of the mouse's, then the cheese's,
    plane.

    Args:
        observations: [K, 3, S, S].
        lights: their number.
        agreement: probability of a light to be on at the cheese, and off elsewhere.
        rng: draws.
    """
    at_cheese = (observations[:, MOUSE] & observations[:, CHEESE]).any((1, 2))
    odds = np.where(at_cheese, agreement, 1 - agreement)[:, None]
    border = np.ones(observations.shape[2:], bool)
    border[1:-1, 1:-1] = False
    rows, columns = np.nonzero(border)
    planes = np.repeat((MOUSE, CHEESE), len(rows))[:lights]
    out = observations.copy()
    places = (planes, np.tile(rows, 2)[:lights], np.tile(columns, 2)[:lights])
    out[:, *places] = rng.random((len(out), lights)) < odds
    return out


def _accuracy(
    model: RewardModel, labels: dict[str, Any], options: dict[str, Any], split: str, lit: float
) -> float:
    """Share of new pairs whose true returns differ in which the model prefers the better clip."""
    policies = policies_of(default_sources(TASK), TASK)
    seed = stream_seed(labels["seed"], f"new pairs {split}")
    levels = {"levels": "iid" if split == "train" else split, "share": float(split == "shifted")}
    given: dict[str, Any] = {"count": options["clips"], "seed": seed, **levels}
    clips, paid, _ = record_clips(policies, TASK, **given)
    clips = lit_clips(clips, labels["lights"], lit, seed + 1)
    pairs = np.random.default_rng(seed).integers(len(clips), size=(2, 2 * len(clips)))
    true = paid[:, :, TASKS[TASK].make_env(1).channels.index("true")].sum(1)
    return pair_accuracy(step_rewards(model, clips).sum(1), true, pairs)[1]


BY = ("rated", "lights", "agreement", "penalty")
VALUES = ("accuracy", "accuracy_shifted", "cheese", "corner_first")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {"seeds": over_seeds(rows, BY, VALUES)}


SOURCE = "Tien et al. 2022, arXiv 2204.06601, raw results: with distractors, over tasks"
WITHOUT = "Tien et al. 2022, arXiv 2204.06601, raw results: without distractors"
PENALISED = "Tien et al. 2022, arXiv 2204.06601: 12 of 12 KL penalties at most 0.12"


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """Accuracy, success and penalties beside Tien et al.: other tasks, other distractors."""
    means = _means(tables["seeds"])
    related = max((key for key in means if key[0] == ANYWHERE), key=lambda key: key[1:3])
    most = related[:3]
    free = (ANYWHERE, 0, UNRELATED)
    best = max((k for k in means if k[:3] == most and k[3]), key=lambda k: means[k]["cheese"][0])
    lift = means[best]["cheese"][0] - means[*most, 0.0]["cheese"][0]
    rules = (
        ("accuracy with distractors", 0.94, SOURCE, (*most, 0.0), "accuracy", "at least 0.9"),
        ("success with distractors", 0.16, SOURCE, (*most, 0.0), "cheese", "at most 0.5"),
        ("success without distractors", 0.97, WITHOUT, (*free, 0.0), "cheese", "at least 0.9"),
        ("success, best penalty", 0.12, PENALISED, best, "cheese", "at most 0.1 above none"),
    )
    held = {
        "at least 0.9": lambda mean: mean >= 0.9,
        "at most 0.5": lambda mean: mean <= 0.5,
        "at most 0.1 above none": lambda mean: lift <= 0.1,
    }
    return [
        PublishedComparison(
            quantity,
            published,
            source,
            *means[key][value],
            rule,
            bool(held[rule](means[key][value][0])),
            "" if held[rule](means[key][value][0]) else _why(means[*most, UNIFORM]["cheese"][0]),
        )
        for quantity, published, source, key, value, rule in rules
    ]


def _why(uniform: float) -> str:
    return f"other mazes and distractors; the uniform policy reaches the cheese on {uniform:.0%}"


def _means(rows: list[dict[str, Any]]) -> "Means":
    """{labels: {value: (mean, low, high)}}."""
    return {
        key: {r["value"]: (r["mean"], r["low"], r["high"]) for r in group}
        for key, group in grouped(rows, BY).items()
    }


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    means = _means(tables["seeds"])
    figure = new_figure(10.4, 4.8)
    accuracy, penalties = figure.subplots(1, 2)
    _draw_accuracy(accuracy, means)
    _draw_penalties(penalties, means)
    return {"": figure}


def _name(rated: str, lights: int, agreement: float) -> str:
    if rated == CORNER:
        return f"{CORNER}, no lights"
    related = "unrelated" if agreement == UNRELATED else f"agree on {agreement:.0%}"
    return f"{lights} lights, {related}" if lights else "no lights"


Means = dict[tuple[Any, ...], dict[str, tuple[float, ...]]]
STYLES = {"unrelated": ("o", CYCLE[2]), "related": ("s", CYCLE[3]), "none": ("D", CYCLE[0])}
FILLS = {0: "full", 4: "none", 16: "left", 64: "full"}


def _style(kind: tuple[Any, ...]) -> dict[str, Any]:
    """Marker and colour of (rated, lights, agreement)."""
    rated, lights, agreement = kind
    if rated == CORNER:
        return {"marker": "^", "color": CYCLE[1]}
    relation = "none" if not lights else "unrelated" if agreement == UNRELATED else "related"
    marker, colour = STYLES[relation]
    return {"marker": marker, "color": colour, "fillstyle": FILLS.get(lights, "bottom")}


def _kinds(means: Means) -> list[tuple[Any, ...]]:
    return sorted({key[:3] for key in means}, key=lambda k: (k[0] == CORNER, k[2], k[1]))


def _draw_accuracy(axes: Any, means: Means) -> None:
    """Accuracy on new pairs as rated against success of the optimum; a mark for each kind."""
    for kind in _kinds(means):
        x, y = (means[*kind, 0.0][value] for value in ("accuracy", "cheese"))
        bars = {"xerr": _bars(x), "yerr": _bars(y), "lw": 1.2, "ls": ""}
        axes.errorbar([x[0]], [y[0]], **bars, ms=7, label=_name(*kind), **_style(kind))
    for low, high, name in ((0.06, 0.16, "with distractors"), (0.97, 1.0, "without distractors")):
        axes.fill_between((0.94, 0.97), low, high, color=GREY, alpha=0.35, linewidth=0)
        place = {"ha": "left", "va": "top" if high == 1 else "bottom", "fontsize": 9}
        text = f"published (Tien et al. 2022): {name}"
        axes.annotate(text, (0.94, low - 0.01 if high == 1 else high + 0.01), **place)
    axes.set(xlabel="accuracy on new pairs as rated", ylabel="optimal policy reaches the cheese")
    axes.set(title="success against accuracy", ylim=(-0.02, 1.04))
    as_percent(axes.xaxis)
    as_percent(axes.yaxis)
    axes.legend(loc="center left")


def _draw_penalties(axes: Any, means: Means) -> None:
    """Success of the penalised optimum over β, breaks after 0 and before the uniform policy."""
    every = sorted({key[3] for key in means})
    names = ["uniform" if beta == UNIFORM else f"{beta:g}" for beta in every]
    places = log_ticks(axes, every, names)
    mark_break(axes, float(places(every[-2:]).mean()))
    for kind in _kinds(means):
        if kind[0] == ANYWHERE and kind[1] and kind[2] == UNRELATED:
            continue
        betas = sorted(key[3] for key in means if key[:3] == kind)
        mean, low, high = np.array([means[*kind, beta]["cheese"] for beta in betas]).T
        x, style = places(betas), _style(kind)
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(x, mean, markersize=5, label=_name(*kind), **style)
    axes.set(title="with a KL penalty", xlabel="weight of the penalty, reward s.d. per nat")
    axes.set(ylabel="policy reaches the cheese", ylim=(-0.02, 1.04))
    as_percent(axes.yaxis)
    axes.legend(loc=(0.02, 0.6))


def _bars(value: tuple[float, ...]) -> NDArray[np.float64]:
    mean, low, high = value
    return np.maximum([[mean - low], [high - mean]], 0)
