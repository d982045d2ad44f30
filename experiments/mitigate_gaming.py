"""mitigate-gaming: what keeps a policy that is trained on a proxy reward from gaming it?

In tomato-watering and boat-lagoon policies are trained on the proxy reward, which their exploit
maximises. A half-trained *reference* policy, trained on the true reward until half of the optimal
return (``proxylab.reproduce.learned``), stands for what is known to be acceptable. Ways:

- *plain*: PPO on the proxy reward; *true*: on the true reward, for comparison;
- *start*: plain, from the reference's weights; *kl*: so, with a penalty for leaving its actions;
- *orpo* and *max-min*: from new weights, on the proxy reward at its worst within a correlation r
  with the intended one under the reference's occupancy (``proxylab.training.occupancy``);
  *orpo-start* and *max-min-start*: so, from the reference's weights.

Policies run on held-out levels of the training kind. *Gamed*: the share of episodes with the
exploit (under the bucket, or circling the targets). p-values are of paired t tests over seeds,
corrected by Holm's method within a task.

Criteria, fixed after one pilot run with another seed: in both tasks (1) plain training games on
half of the episodes or more; at r = 0.4 both ways (2) have a higher true return than plain
training, and (3) than their reference, by the 95 % intervals of the differences paired by seed.

Published (arXiv 2604.12086, table 7; another garden, r = 0.4): true return 6.28 ± 0.22 by orpo,
4.56 ± 0.20 by max-min, 4.00 ± 0.18 by orpo with a discriminator trained for longer. Tolerance,
fixed with the criteria: our ratio of max-min to orpo lies within 0.15 of theirs. The two ways that
start from the reference's weights, as the published ones do, were added after one seed. Runs whose
reference never meets a target are refused since; before, one was a plain run by its small penalty.
"""

import shutil
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from proxylab.plots.style import GREY, INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison
from proxylab.reproduce.learned import LearnedRun
from proxylab.reproduce.measure import outcome_rows, over_seeds, paired_differences, paired_tests
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.resampling import ratio_interval
from proxylab.storage import store
from proxylab.training.occupancy import UndefinedCorrelation, reference_steps
from proxylab.training.train import make_config, train

CLAIM = (
    "Paid the proxy reward at its worst within a correlation with the intended one, policies game "
    "it on 3 % of episodes at most, where plain training does on 89 % and more; with orpo they get "
    "better than their reference in tomato-watering, and not in boat-lagoon"
)
TOMATO, BOAT = "tomato-watering", "boat-lagoon"
PLAIN, TRUE, REFERENCE = "plain", "true", "reference"
WORST = ("orpo", "max-min")
STARTED = ("orpo-start", "max-min-start")
CORE = (
    *((REFERENCE, 0.0), (PLAIN, 0.0), (TRUE, 0.0), ("start", 0.0), ("kl", 0.2)),
    *product(WORST, (0.4,)),
)
"""(way, its strength: weight of the penalty, or correlation)."""
STRONGER = (("kl", 0.05), *product(WORST, (0.8,)))
BEGUN = tuple(product(STARTED, (0.4,)))
ASSUMED = 0.4
"""The correlation of the criteria, and of the published returns."""
PUBLISHED = {"orpo": (6.28, 0.22), "max-min": (4.56, 0.20)}
TOLERANCE = 0.15
SOURCE = "arXiv 2604.12086, table 7, tomatoes, r = 0.4"
FIRST_SEED = 18_000
REFUSED = "refused.json"
"""In the folder of a run that is refused, since its reference's proxy reward never varies; it holds
the reference policy, and gives no rows."""

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "timesteps": {TOMATO: 8_192},
        "seeds": {TOMATO: ((tuple(a for a in CORE if a[0] not in (TRUE, "start")), 2),)},
        "measure": {"episodes": 20},
    },
    "laptop": {
        "timesteps": {TOMATO: 262_144, BOAT: 409_600},
        "seeds": {
            TOMATO: ((CORE, 10), (STRONGER, 6), (BEGUN, 5)),
            BOAT: ((tuple(a for a in CORE if a[0] != TRUE), 10), (((TRUE, 0.0), *BEGUN), 5)),
        },
        "measure": {"episodes": 500},
    },
    "paper": {
        "timesteps": {TOMATO: 1_048_576, BOAT: 1_638_400},
        "seeds": dict.fromkeys((TOMATO, BOAT), (((*CORE, *STRONGER, *BEGUN), 30),)),
        "measure": {"episodes": 2_000},
    },
}
"""``seeds``: {task: (ways, number of seeds) of each part of the sweep}."""


@dataclass(frozen=True)
class GamingRun:
    """A run on the proxy reward, with what is done against gaming it.

    Attributes:
        task: name of the task.
        method: a way of ``CORE``, ``STRONGER`` or ``BEGUN``.
        strength: of it.
        timesteps: environment steps.
        seed: of the run and of its reference policy.
    """

    task: str
    method: str
    strength: float
    timesteps: int
    seed: int

    @property
    def shared(self) -> LearnedRun:
        """Whose reference policy is this run's."""
        return LearnedRun(self.task, 0, 0.0, self.seed, self.timesteps, 1)

    @property
    def folder(self) -> Path:
        """Folder of the run; that of the method ``reference`` is a copy of the reference."""
        variant = f"{self.method}-{self.strength:g}-{self.timesteps}"
        return store.results_folder() / "runs" / "gaming" / self.task / variant / f"{self.seed}"

    def make(self) -> None:
        """Train the reference policy and the run, where they are missing."""
        self.shared.make_reference()
        reference = self.shared.reference().name
        if self.method == REFERENCE:
            shutil.copytree(reference, self.folder, dirs_exist_ok=True)
            return
        options: dict[str, Any] = {}
        if self.method in WORST + STARTED:
            bound = f"{self.method.removesuffix('-start')}:{self.strength:g}"
            options = {"occupancy": bound, "occupancy_to": reference}
        if self.method in ("start", "kl", *STARTED):
            options |= {"start_from": reference}
        if self.method == "kl":
            options |= {"kl": self.strength, "kl_to": reference}
        role = "trusted" if self.method == TRUE else "proxy"
        given = {"total_timesteps": self.timesteps, "seed": self.seed, **options}
        try:
            train(self.task, role, out=self.folder, resume=True, **given)
        except UndefinedCorrelation as error:
            shutil.rmtree(self.folder)
            shutil.copytree(reference, self.folder)
            store.write_json(self.folder / REFUSED, {"reason": str(error)})


def points(settings: dict[str, Any]) -> list[Point]:
    """A run of each seed, way and task."""
    runs = [
        GamingRun(task, *arm, timesteps, FIRST_SEED + k)
        for task, timesteps in settings["timesteps"].items()
        for arms, count in settings["seeds"][task]
        for arm in arms
        for k in range(count)
    ]
    return [Point(asdict(run), agent=str(run.folder)) for run in runs]


def prepare(point: Point) -> None:
    """Make the run of a point, if it is missing."""
    GamingRun(**point.labels).make()


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    run = GamingRun(**point.labels)
    if (run.folder / REFUSED).is_file():
        return []
    (row,) = outcome_rows(policy, ("iid",), **settings["measure"])
    row["gamed"] = row["proxy"] + row["both"]
    row["correlation"] = None
    if run.method == REFERENCE:
        true, proxy = (
            reference_steps(make_config(run.task, reward=reward, seed=run.seed), policy).rewards
            for reward in ("true", "proxy")
        )
        if np.ptp(true) and np.ptp(proxy):  # a racer may never meet a target
            row["correlation"] = float(np.corrcoef(true, proxy)[0, 1])
    return [row]


BY = ("task", "method", "strength")
VALUES = ("true_return", "proxy_return", "gamed", "correlation")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over seeds; differences to plain training and to the reference; criteria."""
    tables = {"seeds": over_seeds(rows, BY, VALUES)}
    gaps = {}
    for baseline in (PLAIN, REFERENCE):
        others = [row for row in rows if row["method"] not in (baseline, REFERENCE)]
        own = [row for row in rows if row["method"] == baseline]
        gaps[baseline] = paired_differences(others, own, ("task", "seed"), VALUES[:3])
        tables[f"against-{baseline}"] = over_seeds(gaps[baseline], BY, VALUES[:3])
    tables["tests"] = [
        row
        for task in dict.fromkeys(row["task"] for row in rows)
        for row in paired_tests([r for r in gaps[PLAIN] if r["task"] == task], BY, "true_return")
    ]
    return tables | {"criteria": _criteria(tables), "ratio": _ratio(rows)}


def _criteria(tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The criteria, task by task."""
    found = []
    for task in dict.fromkeys(row["task"] for row in tables["seeds"]):
        gamed = _value(tables["seeds"], task, PLAIN, 0.0, "gamed")
        facts = {"task": task, "plain_games": gamed["mean"] >= 0.5}
        for method, baseline in product(WORST, (PLAIN, REFERENCE)):
            gap = _value(tables[f"against-{baseline}"], task, method, ASSUMED, "true_return")
            facts[f"{method}_above_{baseline}"] = gap["low"] > 0
        found.append(facts)
    return found


def _value(
    rows: list[dict[str, Any]], task: str, method: str, strength: float, value: str
) -> dict[str, Any]:
    """The row of a mean over seeds."""
    wanted = (task, method, strength, value)
    return next(r for r in rows if tuple(r[name] for name in (*BY, "value")) == wanted)


def _ratio(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """True return of max-min over that of orpo in tomatoes, with an interval over seeds."""
    returns = {
        (row["method"], row["seed"]): row["true_return"]
        for row in rows
        if row["task"] == TOMATO and row["strength"] == ASSUMED
    }
    found = []
    for ways in (WORST, STARTED):
        both = ({seed for method, seed in returns if method == way} for way in ways)
        seeds = sorted(set.intersection(*both))
        if seeds:
            bottom, top = ([returns[way, seed] for seed in seeds] for way in ways)
            mean, low, high = ratio_interval(top, bottom, np.random.default_rng(0))
            found.append({"started": ways == STARTED, "mean": mean, "low": low, "high": high})
    return found


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """The ratio of the true returns of max-min and orpo."""
    ours = tables["ratio"][0]
    published = PUBLISHED["max-min"][0] / PUBLISHED["orpo"][0]
    passed = abs(ours["mean"] - published) <= TOLERANCE
    return [
        PublishedComparison(
            "true return of max-min over orpo",
            published,
            SOURCE,
            ours["mean"],
            ours["low"],
            ours["high"],
            f"within {TOLERANCE:g}",
            passed,
            "" if passed else "another garden, reference policy, network and discriminator",
        )
    ]


LABELS = {
    REFERENCE: "reference policy",
    PLAIN: "plain PPO",
    TRUE: "on the true reward",
    "start": "from the reference",
    "kl": "penalty β = {:g}",
    "orpo": "orpo, r = {:g}",
    "max-min": "max-min, r = {:g}",
    "orpo-start": "orpo, r = {:g}, from the reference",
    "max-min-start": "max-min, r = {:g}, from the reference",
}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """True return and share of gamed episodes of each way, a panel per task."""
    tasks = list(dict.fromkeys(row["task"] for row in tables["seeds"]))
    arms = list(dict.fromkeys((row["method"], row["strength"]) for row in tables["seeds"]))
    figure = new_figure(1.8 + 3.8 * len(tasks), 4.6)
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        _draw_task(axes, [row for row in tables["seeds"] if row["task"] == task], arms)
        axes.set(title=task, xlim=(-0.03, 1.03), xlabel="share of the optimum, of episodes")
        as_percent(axes.xaxis, decimals=0)
    panels[0].set_yticks(range(len(arms)), [LABELS[way].format(value) for way, value in arms])
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return {"": figure}


def _draw_task(axes: Any, rows: list[dict[str, Any]], arms: list[tuple[str, float]]) -> None:
    lines = (
        ("true_return", "true return", MEANINGS["intended"], "o"),
        ("gamed", "gamed", MEANINGS["proxy"], "s"),
    )
    for shift, (value, label, colour, marker) in zip((-0.12, 0.12), lines, strict=True):
        own = {(r["method"], r["strength"]): r for r in rows if r["value"] == value}
        at = [(k + shift, own[arm]) for k, arm in enumerate(arms) if arm in own]
        y, mean = [y for y, _ in at], np.array([row["mean"] for _, row in at])
        ends = [[row[end] for _, row in at] for end in ("low", "high")]
        error = np.abs(mean - np.array(ends))
        axes.errorbar(mean, y, xerr=error, fmt=marker, ms=5, color=colour, label=label)
        if value == "true_return" and (REFERENCE, 0.0) in own:
            line = own[REFERENCE, 0.0]["mean"]
            axes.axvline(line, color=GREY, linestyle=":", label="reference policy's true return")
    axes.tick_params(axis="y", colors=INK)
