"""two-heads: do heads that disagree elsewhere contain the intended goal, and do few labels find it?

Networks clone the shortest ways on training levels, where cheese and corner cannot be told apart.
A second head learns the same, and both are made to disagree on states that random actions visit on
unlabelled levels with the cheese elsewhere (:mod:`proxylab.training.diversity`): state by state,
by mutual information (DivDis, arXiv 2202.03418), or level by level. Then k demonstrated levels
with the cheese elsewhere choose the head with the greater likelihood; without any, chance does.
Controls: *clones*, two plain clones of which the same labels choose one (is it the diversity or the
choice?), and *tuned*, a plain clone that is trained on for half as many steps, of which a half are
drawn from the k levels (what do the labels give without heads?). All are measured on held-out
levels. *Information* and *alike*: mutual information of a pair, and how often it acts alike, on
states that random actions visit on the unlabelled levels; *scripts* are the optimal script and the
corner-seeker, the pair of heads that one would like to have.

Weights and share were chosen on seeds 900 and 901 (``conv``: 900 alone). By state, weights of 0.1,
1 and 10 were tried: at 1 the term reaches its minimum without loss of held-out success, and no
weight gave a head that seeks the cheese. By level, 10 gave more cheese than 0.1 and 1.

Criterion, fixed before the first run with other seeds, for each network and each disagreement: with
k = 4 the chosen head reaches the cheese on more shifted levels than the chosen clone, and than the
clone tuned with the same labels; both 95 % intervals of the difference paired by seed lie above 0,
and both p-values, of paired t tests over seeds, are below 0.05 after Holm's correction for all
tests of the table. In development only disagreement by level in the value-iteration network was
above both controls.
"""

import functools
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.agents.format import save_agent
from proxylab.agents.references import load_agent
from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.plots.style import GREY, MEANINGS, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import (
    curve,
    grouped,
    outcome_rows,
    over_seeds,
    paired_differences,
    paired_tests,
)
from proxylab.reproduce.networks import VALUE_ITERATION
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

CLAIM = (
    "Two heads that disagree state by state hold neither goal of the maze; made to differ once in "
    "each level, they reach a moved cheese more often where the network can plan"
)
TASK = "maze-corner"
GOALS = ("optimal", "corner-seeker")
CONV, PLANNER = "conv", "value-iteration"
NETWORKS: dict[str, dict[str, Any]] = {
    CONV: {},
    PLANNER: {name: VALUE_ITERATION[name] for name in ("architecture", "sizes")},
}
CLONE, STATES, LEVELS, TUNED, SCRIPTS = "clones", "states", "levels", "tuned", "scripts"
PAIRS = (CLONE, STATES, LEVELS)
ELSEWHERE = Levels("train", shifted_share=1.0)
"""Unlabelled and labelled levels: layouts of the training levels, the cheese anywhere."""

SECOND = (CLONE, 1)
"""(method, number) of the clones with a seed of their own."""

TUNING = 2
"""A clone is trained on, with labelled levels, for this part of its training."""

COST = "cost.json"
FEW = 4
"""Labelled levels of the criterion."""

LEVEL = 0.05
"""Of the tests, after Holm's correction."""

FIRST_SEED = 18_000

HYPER: dict[str, Any] = {
    "diversity": {STATES: (1.0, 1.0, 16), LEVELS: (10.0, 0.0, 16)},
    "share": 0.5,
}
"""``diversity``: weight, weight of the balance and stretch; ``share`` of labelled states."""

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "seeds": {CONV: 1, PLANNER: 1},
        "timesteps": 16_384,
        **HYPER,
        "measure": {"episodes": 20, "labels": (1, 4), "visited": (16, 20)},
    },
    "laptop": {
        "seeds": {CONV: 10, PLANNER: 10},
        "timesteps": 131_072,
        **HYPER,
        "measure": {"episodes": 300, "labels": (1, 4, 16, 64), "visited": (256, 64)},
    },
    "paper": {
        "seeds": {CONV: 30, PLANNER: 30},
        "timesteps": 393_216,
        **HYPER,
        "measure": {"episodes": 2_000, "labels": (1, 4, 16, 64, 256), "visited": (256, 256)},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    nothing = {"network": "", "number": 0, "seed": 0, "timesteps": 0, "facts": ""}
    runs = [Point({**nothing, "method": SCRIPTS}, agent=f"script:{TASK}/{GOALS[0]}")]
    seeds = [(n, FIRST_SEED + k) for n, count in settings["seeds"].items() for k in range(count)]
    for network, seed in seeds:
        for method, copy in product(PAIRS, range(2)):
            facts = settings["diversity"].get(method, ())
            runs.append(_point(network, method, seed, settings["timesteps"], copy, facts))
        for k in settings["measure"]["labels"]:
            facts = (settings["share"],)
            runs.append(_point(network, TUNED, seed, settings["timesteps"], k, facts))
    return runs


def _point(
    network: str, method: str, seed: int, steps: int, number: int, facts: tuple[float, ...]
) -> Point:
    """A clone or a head (``number``: which of the two), or a tuned clone (of labelled levels)."""
    labels: dict[str, Any] = {"network": network, "method": method, "number": number, "seed": seed}
    labels |= {"timesteps": steps, "facts": " ".join(f"{fact:g}" for fact in facts)}
    variant = "-".join([method, str(steps), *labels["facts"].split()])
    folder = store.results_folder() / "runs" / "two-heads" / network / variant
    return Point(labels, agent=str(folder / f"seed-{seed}" / str(number)))


def prepare(point: Point) -> None:
    """Train the agent of a point, both of a pair, unless they are there."""
    labels, folder = point.labels, Path(point.agent)
    if labels["method"] == TUNED:
        prepare(_clone_of(labels))
    if labels["method"] == SCRIPTS:
        return
    numbers = range(2) if labels["method"] in PAIRS else (labels["number"],)
    for number in numbers:
        if not (folder.with_name(str(number)) / COST).is_file():
            _train({**labels, "number": number}, folder.parent)


def _train(labels: dict[str, Any], folder: Path) -> None:
    """Train a clone, or both heads, into the folders of their numbers."""
    from proxylab.training.saving import agent_spec  # imports torch and SB3
    from proxylab.training.sb3_policy import agent_weights  # imports torch and SB3

    began = time.process_time()
    config, model = _trained(labels)
    spent = time.process_time() - began
    spec = agent_spec(config, model.policy, config.total_timesteps)
    agents = {labels["number"]: agent_weights(model.policy)}
    if labels["method"] in (STATES, LEVELS):
        agents = dict(enumerate(model.heads()))
    for number, weights in agents.items():
        save_agent(folder / str(number), spec, weights)
        store.write_json(folder / str(number) / COST, {"cpu_seconds": spent})


def _clone_of(labels: dict[str, Any]) -> Point:
    """The clone from which one that is trained on starts."""
    return _point(labels["network"], CLONE, labels["seed"], labels["timesteps"], 0, ())


def _trained(labels: dict[str, Any]) -> tuple[Any, Any]:
    """(configuration, algorithm) after the training of a point."""
    from proxylab.training.demonstrations import ActingExpert  # imports torch
    from proxylab.training.diversity import Diversity, TwoHeadedCloning, WithLabels
    from proxylab.training.sb3_policy import load_weights  # imports torch and SB3
    from proxylab.training.train import make_config, make_model  # imports torch and SB3

    seed, method = labels["seed"], labels["method"]
    facts = [float(fact) for fact in labels["facts"].split()]
    own = (
        stream_seed(seed, "second clone") % 2**31 if (method, labels["number"]) == SECOND else seed
    )
    steps = labels["timesteps"] // (TUNING if method == TUNED else 1)
    options = {"total_timesteps": steps, **NETWORKS[labels["network"]]}
    config = make_config(TASK, algorithm="bc", seed=own, **options)
    if method in (STATES, LEVELS):
        elsewhere = TASKS[TASK].make_env(config.num_envs)
        elsewhere.seed_levels(ELSEWHERE, stream_seed(seed, "unlabelled levels"))
        elsewhere.reset()
        kind = functools.partial(
            TwoHeadedCloning,
            elsewhere=elsewhere,
            visitor=ActingExpert(UniformPolicy(TASK), 0.0),
            diversity=Diversity(method, *facts[:2], stretch=int(facts[2])),
        )
        model = make_model(config, kind)
    else:
        model = make_model(config)
    if method == TUNED:
        load_weights(model.policy, _clone_of(labels).agent)
        shown = _labelled(seed, labels["number"])
        model.demonstrations = WithLabels(model.demonstrations, shown, facts[0])
    return config, model.learn(config.total_timesteps)


@functools.lru_cache(maxsize=8)
def _labelled(seed: int, count: int) -> Any:
    """States and actions of ``count`` demonstrated levels: the first ones of the seed's."""
    from proxylab.training.diversity import demonstrate, joined  # imports torch

    env = TASKS[TASK].make_env(count)
    levels = env.sample_level_seeds(ELSEWHERE, count, stream_seed(seed, "labelled levels"))
    return joined(demonstrate(ScriptedPolicy(TASK, GOALS[0]), env, levels, TASK))


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    labels, options = point.labels, settings["measure"]
    rows = outcome_rows(policy, ("iid", "shifted"), options["episodes"])
    names = ("split", "true_return", "proxy_first", "accidental")
    facts: dict[str, Any] = dict.fromkeys(("cpu_seconds", "information", "alike"))
    facts |= {f"likelihood_{k}": None for k in options["labels"]}
    facts |= {f"labelled_{k}": None for k in options["labels"]}
    if labels["method"] == SCRIPTS:
        facts |= _compared(policy, ScriptedPolicy(TASK, GOALS[1]), *options["visited"])
    else:
        facts |= store.read_json(Path(point.agent) / COST)
    if labels["method"] in PAIRS:
        facts |= _likelihoods(policy, labels["seed"], options["labels"])
        other = load_agent(str(Path(point.agent).with_name(str(1 - labels["number"]))))
        facts |= _compared(policy, other, *options["visited"])
    return [{**{name: row[name] for name in names}, **facts} for row in rows]


def _likelihoods(policy: Any, seed: int, counts: tuple[int, ...]) -> dict[str, float]:
    """Mean log-probability of the demonstrated actions, and the number of their states."""
    from proxylab.training.diversity import log_likelihood  # imports torch

    shown = {k: _labelled(seed, k) for k in counts}
    given = {f"likelihood_{k}": log_likelihood(policy, own) for k, own in shown.items()}
    return given | {f"labelled_{k}": len(own[1]) for k, own in shown.items()}


def _compared(first: Policy, second: Policy, num_envs: int, steps: int) -> dict[str, float]:
    """How alike two policies act on states that random actions visit on unlabelled levels."""
    import torch  # slow to load

    from proxylab.training.diversity import mutual_information  # imports torch

    env = TASKS[TASK].make_env(num_envs)
    env.seed_levels(ELSEWHERE, stream_seed(0, "compared"))
    env.reset()
    rng, every = np.random.default_rng(0), np.arange(num_envs)
    seen: list[list[NDArray[np.float32]]] = [[], []]
    for _ in range(steps):
        for policy, rows in zip((first, second), seen, strict=True):
            rows.append(policy.probabilities(env, every))
        env.step(rng.integers(0, seen[0][0].shape[1], num_envs))
        env.reset_done()
    own, other = (torch.from_numpy(np.concatenate(rows)).double() for rows in seen)
    alike = (own * other).sum(1).mean()
    return {"information": float(mutual_information(own, other)), "alike": float(alike)}


VALUES = ("true_return", "proxy_first", "other_true_return", "other_proxy_first")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Chosen agents by method and labels, paired differences to both controls with p-values."""
    chosen = [row for row in rows if row["method"] == TUNED]
    chosen = [row | {"k": row["number"], **_NO_OTHER} for row in chosen]
    pairs = grouped(
        [r for r in rows if r["method"] in PAIRS], ("network", "method", "seed", "split")
    )
    for pair in pairs.values():
        chosen += _choices(sorted(pair, key=lambda row: row["number"]))
    shifted = [row for row in chosen if row["split"] == "shifted"]
    heads = [row for row in shifted if row["method"] in (STATES, LEVELS) and row["k"]]
    gaps = []
    for control in (CLONE, TUNED):
        others = [row for row in shifted if row["method"] == control]
        same = paired_differences(heads, others, ("network", "k", "seed"), ("true_return",))
        gaps += [{**row, "control": control} for row in same]
    by = ("network", "method", "control", "k")
    difference = over_seeds(gaps, by, ("true_return",))
    tests = paired_tests(gaps, by, "true_return")
    return {
        "seeds": over_seeds(chosen, ("network", "method", "k", "split"), VALUES),
        "difference": difference,
        "tests": tests,
        "criterion": _criterion(difference, tests),
        "pairs": over_seeds(
            [r for r in rows if r["split"] == "shifted" and r["method"] != TUNED],
            ("network", "method"),
            ("information", "alike"),
        ),
        "costs": _costs([r for r in rows if r["split"] == "shifted" and r["method"] != SCRIPTS]),
    }


_NO_OTHER: dict[str, Any] = {"other_true_return": None, "other_proxy_first": None}


def _choices(pair: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What k labelled levels choose of a pair; without labels the mean of both, by chance."""
    names = ("true_return", "proxy_first")
    both = {name: (pair[0][name] + pair[1][name]) / 2 for name in names}
    table = [pair[0] | both | {"k": 0, **_NO_OTHER}]
    for k in _label_counts(pair[0]):
        own, other = sorted(pair, key=lambda row: -row[f"likelihood_{k}"])
        table.append(own | {"k": k, **{f"other_{name}": other[name] for name in names}})
    return table


def _label_counts(row: dict[str, Any]) -> list[int]:
    """The numbers of labelled levels of which a row has likelihoods."""
    prefix = "likelihood_"
    return [int(name.removeprefix(prefix)) for name in row if name.startswith(prefix)]


def _costs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over runs: CPU seconds of a training, and states of the labelled levels.

    The first run of a process also loads libraries and compiles, which a mean would count.
    """
    counted = ("cpu_seconds", *(name for name in rows[0] if name.startswith("labelled_")))
    table = []
    for (network, method), group in grouped(rows, ("network", "method")).items():
        known = {name: [r[name] for r in group if r[name] is not None] for name in counted}
        medians = {name: float(np.median(v)) if v else None for name, v in known.items()}
        table.append({"network": network, "method": method, "runs": len(group), **medians})
    return table


def _criterion(
    differences: list[dict[str, Any]], tests: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Whether heads with ``FEW`` labelled levels are better than each control, and than both."""
    rows = [
        {**gap, "p_holm": test["p_holm"], "met": gap["low"] > 0 and test["p_holm"] < LEVEL}
        for gap, test in zip(differences, tests, strict=True)
        if gap["k"] == FEW
    ]
    names = ("network", "method", "control", "mean", "low", "high", "p_holm", "met")
    groups = grouped(rows, ("network", "method"))
    return [
        {name: row[name] for name in names} | {"both": all(r["met"] for r in group)}
        for group in groups.values()
        for row in group
    ]


LINES = {
    LEVELS: ("two heads, disagreeing by level", MEANINGS["intended"], "o-"),
    STATES: ("two heads, disagreeing by state (DivDis)", MEANINGS["honest"], "s-"),
    CLONE: ("two clones", GREY, "D-"),
    TUNED: ("a clone trained on with the labelled levels", MEANINGS["proxy"], "^-"),
}
PANELS = {"true_return": "cheese reached", "proxy_first": "corner first"}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    rows = [row for row in tables["seeds"] if row["split"] == "shifted"]
    counts = sorted({row["k"] for row in rows})
    figure = new_figure(9.0, 7.4)
    panels = figure.subplots(len(NETWORKS), len(PANELS), sharex=True, sharey=True, squeeze=False)
    for (row, network), (column, value) in product(enumerate(NETWORKS), enumerate(PANELS)):
        own = [r for r in rows if r["network"] == network]
        _draw_panel(panels[row, column], own, value, counts)
        panels[row, column].set_title(f"{PANELS[value]}, {network}")
    for axes in panels[:, 0]:
        axes.set_ylabel("share of shifted levels")
    for axes in panels[-1]:
        axes.set_xlabel("labelled levels k that choose, or are trained on")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(PANELS))
    return {"": figure}


def _draw_panel(axes: Any, rows: list[dict[str, Any]], value: str, counts: list[int]) -> None:
    for method, (label, colour, style) in LINES.items():
        k, mean, low, high = curve(rows, "k", value, method=method)
        x = [counts.index(count) for count in k]
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, mean, style, markersize=4, color=colour, label=label)
    axes.set(ylim=(-0.03, 1.03))
    axes.set_xticks(range(len(counts)), [f"{count}" for count in counts])
