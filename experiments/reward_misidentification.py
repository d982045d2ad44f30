"""maze-corner: is a misgeneralised agent the reward model's fault, or the policy's?

A rater who wants the cheese compares clips in mazes; on a share x of them the cheese is anywhere,
on the rest in the corner. *Reward model*: what it pays on shifted levels, at the end of the
optimal script (the cheese) and of the corner-seeker, how often it prefers the clip that the
rater would, and where its optimal policy goes, computed exactly.

Then networks learn the policy that is optimal by a reward model, *wrong* (x = 0) or *right* (the
cheese anywhere on all rated levels), on levels that are *ambiguous* (the cheese in the corner) or
*not* (anywhere). They are clones of the optimal policy, which is computed exactly in every maze of
their training: exploration and credit assignment have no part in their failures. The failure of
a policy is the share of shifted levels on which it does not reach the cheese; four cells with the
same seeds give the part of the failure that each cause has alone, and that both have together.
"""

import functools
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.plots.style import CYCLE, GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.composites import NUM_ENVS, clone
from proxylab.reproduce.experiment import Point, PublishedComparison
from proxylab.reproduce.measure import curve, grouped, outcome_rows, over_seeds
from proxylab.rewards.clips import record_clips
from proxylab.rewards.collect import collect, default_sources, policies_of
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import JSON_NAME, RewardModel, combine, load_model, save_model
from proxylab.rewards.optimum import OptimalMouse, shares_of_optimum
from proxylab.rewards.raters import Rater
from proxylab.rewards.show import agreements, step_rewards
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import bootstrap_interval
from proxylab.storage import store
from proxylab.storage.store import is_complete
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

CLAIM = (
    "A reward model of ratings with the cheese in the corner and a policy trained on such levels "
    "each suffice for a misgeneralised agent; 20 % of ratings elsewhere correct every model"
)
TASK = "maze-corner"
SCRIPTS = ("optimal", "corner-seeker")
BETA = 5.0
DISCOUNT = 0.99
WRONG, RIGHT = 0.0, 1.0
"""Share of rated levels with the cheese anywhere, of both models of the four cells."""

LEVELS = {"ambiguous": 0.0, "not ambiguous": 1.0}
"""Share of a policy's training levels with the cheese anywhere; their walls are the same."""

DEMONSTRATED_STEPS = 40
"""Steps of a demonstration: enough to reach the corner and to stay there."""

MODEL, POLICY = "reward model", "policy"

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "shares": (WRONG, RIGHT),
        "pairs": 40,
        "seeds": 1,
        "mazes": 64,
        "timesteps": 8_192,
        "measure": {"levels": 30, "mazes": 4},
    },
    "laptop": {
        "shares": (WRONG, 0.02, 0.05, 0.1, 0.2, RIGHT),
        "pairs": 500,
        "seeds": 20,
        "mazes": 2_048,
        "timesteps": 262_144,
        "measure": {"levels": 500, "mazes": 64},
    },
    "paper": {
        "shares": (WRONG, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, RIGHT),
        "pairs": 2_000,
        "seeds": 50,
        "mazes": 16_384,
        "timesteps": 1_048_576,
        "measure": {"levels": 2_000, "mazes": 500},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for seed in range(settings["seeds"]):
        for share in settings["shares"]:
            runs.append(_point(MODEL, share, "", settings["pairs"], seed))
        for share in (WRONG, RIGHT):
            for levels in LEVELS:
                size = settings["mazes"], settings["timesteps"]
                runs.append(_point(POLICY, share, levels, settings["pairs"], seed, *size))
    return runs


def _point(
    kind: str, share: float, levels: str, pairs: int, seed: int, mazes: int = 0, steps: int = 0
) -> Point:
    labels = {"kind": kind, "share": share, "levels": levels, "pairs": pairs}
    labels |= {"seed": seed, "mazes": mazes, "timesteps": steps}
    agent = f"script:{TASK}/optimal" if kind == MODEL else str(_run_folder(labels))
    return Point(labels, agent=agent)


def _folder(labels: dict[str, Any]) -> Any:
    """Folder of the reward model of a point."""
    root = store.results_folder() / "runs" / "misidentification"
    return root / f"share-{labels['share']:g}-pairs-{labels['pairs']}" / f"seed-{labels['seed']}"


def _run_folder(labels: dict[str, Any]) -> Any:
    name = f"{labels['levels'].replace(' ', '-')}-{labels['mazes']}-{labels['timesteps']}"
    return _folder(labels) / name


def prepare(point: Point) -> None:
    """Fit the reward model of a point and clone its optimal policy, if they are missing."""
    labels = point.labels
    folder, seed = _folder(labels) / "model", labels["seed"]
    if not (folder / JSON_NAME).is_file():
        levels = f"mix:{labels['share']}"
        asked = stream_seed(seed, "misidentification") % 2**31
        given: dict[str, Any] = {"levels": levels, "seed": asked}
        answers = collect(TASK, default_sources(TASK), labels["pairs"], Rater(BETA), **given)
        save_model(fit(answers, FitConfig(seed=seed)), folder)
    if labels["kind"] == POLICY and not is_complete(_run_folder(labels)):
        shown = _demonstrations(load_model(folder), labels)
        clone(shown, _run_folder(labels), seed=seed, steps=labels["timesteps"])


def _demonstrations(model: RewardModel, labels: dict[str, Any]) -> Episodes:
    """Episodes of the optimal policy of a reward model on the training levels of a policy."""
    mazes, drawn = labels["mazes"], Levels("train", shifted_share=LEVELS[labels["levels"]])
    env = TASKS[TASK].make_env(min(mazes, NUM_ENVS), time_limit=DEMONSTRATED_STEPS)
    seeds = env.sample_level_seeds(drawn, mazes, stream_seed(labels["seed"], "demonstrated mazes"))
    planned = OptimalMouse("optimal", functools.partial(_paid, model), DISCOUNT)
    return rollout(planned, env, seeds, task=TASK, seed=labels["seed"])[0]


def _paid(model: RewardModel, observations: NDArray[Any]) -> NDArray[np.float32]:
    return combine(model.rewards(observations), "mean")


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    count = settings["measure"]["levels"]
    if point.labels["kind"] == POLICY:
        rows = outcome_rows(policy, ("iid", "shifted"), count)
        names = ("true_return", "proxy_first", "accidental")
        return [{**_nothing(), "split": r["split"], **{n: r[n] for n in names}} for r in rows]
    model = load_model(_folder(point.labels) / "model")
    judged = {(a.split, a.channel): a for a in agreements(model, _sources(), "mean", seed=1)}
    rows = []
    for split in ("iid", "shifted"):
        accuracy = judged[split, "true"].accuracy
        rows.append({**_nothing(), "split": split, "accuracy": accuracy})
        rows[-1] |= {f"pays_{name}": _pays(model, name, split, count) for name in SCRIPTS}
    rows[-1] |= _optimum(model, settings["measure"]["mazes"])
    return rows


def _nothing() -> dict[str, Any]:
    return dict.fromkeys(VALUES)


def _optimum(model: RewardModel, mazes: int) -> dict[str, float]:
    """Where the optimal policy of the reward goes on shifted levels."""
    env = TASKS[TASK].make_env(1)
    levels = env.sample_level_seeds(Levels("shifted"), mazes, 0).tolist()
    pays = functools.partial(_paid, model)
    (shares,) = shares_of_optimum(pays, env, levels, discount=DISCOUNT)
    return {"optimal_cheese": shares.cheese, "optimal_corner_first": shares.corner_first}


def _sources() -> list[Policy]:
    return policies_of(default_sources(TASK), TASK)


def _pays(model: RewardModel, script: str, split: str, count: int) -> float:
    """Mean reward of the state in which a script's episodes end, in standard deviations."""
    share = float(split == "shifted")
    given: dict[str, Any] = {"levels": split, "share": share, "per_episode": 1, "seed": 2}
    clips, *_ = record_clips([ScriptedPolicy(TASK, script)], TASK, count=count, length=100, **given)
    return float(step_rewards(model, clips)[:, -1].mean())


VALUES = (
    "accuracy",
    "pays_optimal",
    "pays_corner-seeker",
    "optimal_cheese",
    "optimal_corner_first",
    "true_return",
    "proxy_first",
    "accidental",
)


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over seeds, and what each cause adds to the failure."""
    means = over_seeds(rows, ("kind", "share", "levels", "split"), VALUES)
    return {"seeds": means, "causes": _causes(rows)}


def _causes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Failures on shifted levels of the four cells, and their differences, paired by seed."""
    own = [row for row in rows if row["kind"] == POLICY and row["split"] == "shifted"]
    failure = {
        (row["share"] == WRONG, row["levels"] == "ambiguous", row["seed"]): 1 - row["true_return"]
        for row in own
    }
    seeds = sorted({seed for *_, seed in failure})
    cells = {
        (model, levels): np.array([failure[model, levels, seed] for seed in seeds])
        for model in (False, True)
        for levels in (False, True)
    }
    neither, model, levels, both = (
        cells[key] for key in ((False, False), (True, False), (False, True), (True, True))
    )
    named = {
        "failure, neither": neither,
        "failure, reward model wrong": model,
        "failure, levels ambiguous": levels,
        "failure, both": both,
        "added by the reward model alone": model - neither,
        "added by the levels alone": levels - neither,
        "added by both beyond the sum": both - model - levels + neither,
    }
    table = []
    for name, values in named.items():
        mean, low, high = bootstrap_interval(values, np.random.default_rng(0))
        table.append({"quantity": name, "runs": len(seeds), "mean": mean, "low": low, "high": high})
    return table


SOURCE = "Tien et al. 2022, arXiv 2204.06601: validation accuracy, with success of 0.06 to 0.16"


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """A misidentified reward has a high validation accuracy: another task, no distractors."""
    where = {"kind": MODEL, "share": WRONG, "split": "iid", "value": "accuracy"}
    (row,) = (r for r in tables["seeds"] if all(r[n] == v for n, v in where.items()))
    passed = row["mean"] >= 0.9
    return [
        PublishedComparison(
            "accuracy on levels as rated, of a reward model that pays for the corner",
            0.94,
            SOURCE,
            *(row[name] for name in ("mean", "low", "high")),
            "at least 0.9",
            passed,
            "" if passed else "fewer answers, with errors",
        )
    ]


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    figure = new_figure(9.8, 4.2)
    model, policy = figure.subplots(1, 2)
    _draw_models(model, tables["seeds"])
    _draw_cells(policy, tables["seeds"])
    return {"": figure}


def _draw_models(axes: Any, rows: list[dict[str, Any]]) -> None:
    """What the models pay on shifted levels, over the share of levels with the cheese anywhere."""
    shares = sorted({r["share"] for r in rows if r["kind"] == MODEL})
    ticks = np.arange(len(shares))
    lines = (
        ("pays_optimal", MEANINGS["true"], "at the cheese"),
        ("pays_corner-seeker", MEANINGS["proxy"], "at the corner"),
    )
    for value, colour, label in lines:
        _, mean, low, high = curve(rows, "share", value, kind=MODEL, split="shifted")
        axes.fill_between(ticks, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(ticks, mean, "o-", markersize=4, color=colour, label=label)
    axes.set_xticks(ticks, [f"{100 * share:g} %" for share in shares])
    axes.set(
        title="what reward models pay on shifted levels",
        xlabel="rated levels with the cheese anywhere",
        ylabel="reward, standard deviations",
    )
    axes.legend()


def _draw_cells(axes: Any, rows: list[dict[str, Any]]) -> None:
    """How often policies reach the moved cheese, in the four cells."""
    own = [r for r in rows if r["kind"] == POLICY and r["split"] == "shifted"]
    for shift, (value, colour, label) in zip(
        (-0.15, 0.15),
        (
            ("true_return", MEANINGS["true"], "cheese reached"),
            ("proxy_first", CYCLE[1], "corner first"),
        ),
        strict=True,
    ):
        cells = [r for r in own if r["value"] == value]
        for k, row in enumerate(_ordered(cells)):
            bars = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
            label_once = label if k == 0 else None
            axes.errorbar(
                [k + shift],
                [row["mean"]],
                np.maximum(bars, 0),
                fmt="o",
                color=colour,
                label=label_once,
            )
    (chance, *_) = [r["mean"] for r in own if r["value"] == "accidental"]
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, label="incidental rate")
    names = [
        f"{'wrong' if r['share'] == WRONG else 'right'} model,\n{r['levels']}\nlevels"
        for r in _ordered([r for r in own if r["value"] == "true_return"])
    ]
    axes.set_xticks(np.arange(len(names)), names, fontsize=8)
    axes.set(title="policies on shifted levels", ylim=(-0.02, 1.02))
    as_percent(axes.yaxis)
    axes.legend()


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The four cells, from both right to both wrong."""
    groups = grouped(rows, ("share", "levels"))
    return [groups[key][0] for key in sorted(groups, key=lambda k: (-k[0], k[1] == "ambiguous"))]
