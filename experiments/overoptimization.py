"""boat-lagoon and tomato-watering: when does a policy trained on a learned reward get worse?

A rater compares clips of random actions and of the training of a half-trained *reference* policy
(``proxylab.reproduce.learned``). An ensemble of five reward models is fitted to the answers, and
PPO starts from the reference policy with a model's reward. At 20 checkpoints 128 held-out levels
give the model's reward (the *easy proxy*), the true return as a share of the optimal one (the
*hard proxy*, by which the rater answered) and the KL divergence from the reference policy: the sum
over an episode of that of the actions, which is that of trajectories.

A run *turns* if after the checkpoint with the greatest hard return (the last of them) a checkpoint
follows whose hard return is lower by 0.1 or more; the difference, paired by level, has a 95 %
interval above 0.

Best-of-n: pools of 64 episodes of the reference policy on 16 levels, without bias from a pool.
"""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from proxylab.agents.scripted import UniformPolicy
from proxylab.plots.style import CYCLE, GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison
from proxylab.reproduce.learned import (
    SINGLE,
    Judged,
    LearnedRun,
    held_out,
    judge_episodes,
    snapshots_of,
    turn,
)
from proxylab.reproduce.measure import curve, grouped, mean_columns, over_seeds
from proxylab.rewards.best_of_n import best_of_n, kl_of_best_of_n
from proxylab.rewards.scaling import BEST_OF_N, RL, fit_scaling
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import wilson_interval
from proxylab_envs.batch import BatchedEnv

CLAIM = (
    "Trained on a reward model of few answers, a policy first gets better and then loses what it "
    "had, while the model's reward rises; in boat-lagoon enough answers prevent it, in "
    "tomato-watering, whose observations hide the difference, they do not"
)
BOAT, TOMATO = "boat-lagoon", "tomato-watering"
ARMS = ((SINGLE, 0.0),)
"""(how the members are combined, weight of the KL penalty) of the main series."""

VARIANTS = (("mean", 0.0), ("min", 0.0), ("uwo:0.5", 0.0), (SINGLE, 0.02), (SINGLE, 0.2))

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "tasks": (TOMATO,),
        "pairs": (20,),
        "flips": (0.0,),
        "seeds": 1,
        "variants": {TOMATO: (20,)},
        "ways": VARIANTS[1:2],
        "timesteps": 8_192,
        "snapshots": 2,
        "measure": {"levels": 8, "pools": (2, 8)},
    },
    "laptop": {
        "tasks": (BOAT, TOMATO),
        "pairs": (50, 200, 1_000, 4_000, 16_000),
        "flips": (0.0, 0.25),
        "seeds": 10,
        "variants": {BOAT: (200,), TOMATO: (200,)},
        "ways": VARIANTS,
        "timesteps": 250_000,
        "snapshots": 20,
        "measure": {"levels": 128, "pools": (16, 64)},
    },
    "paper": {
        "tasks": (BOAT, TOMATO),
        "pairs": (50, 100, 200, 500, 1_000, 4_000, 16_000),
        "flips": (0.0, 0.25),
        "seeds": 30,
        "variants": {BOAT: (50, 200, 1_000), TOMATO: (50, 200, 1_000)},
        "ways": VARIANTS,
        "timesteps": 1_000_000,
        "snapshots": 40,
        "measure": {"levels": 512, "pools": (64, 256)},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    """Seeds outside, so that every prefix of the sweep is balanced."""
    runs = []
    for seed in range(settings["seeds"]):
        for task in settings["tasks"]:
            for flip in settings["flips"]:
                runs += [_run(settings, task, n, flip, seed, *ARMS[0]) for n in settings["pairs"]]
            for n in settings["variants"][task]:
                runs += [_run(settings, task, n, 0.0, seed, *way) for way in settings["ways"]]
    return [Point(_labels(run), agent=str(run.folder)) for run in runs]


def _run(
    settings: dict[str, Any], task: str, pairs: int, flip: float, seed: int, how: str, kl: float
) -> LearnedRun:
    given = {"timesteps": settings["timesteps"], "snapshots": settings["snapshots"]}
    return LearnedRun(task, pairs, flip, seed, how=how, kl=kl, **given)


def _labels(run: LearnedRun) -> dict[str, Any]:
    names = ("task", "pairs", "flip", "how", "kl", "seed", "timesteps", "snapshots")
    return {name: getattr(run, name) for name in names}


def prepare(point: Point) -> None:
    """Make the run of a point, if it is missing."""
    LearnedRun(**point.labels).make()


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    run, own = LearnedRun(**point.labels), settings["measure"]
    env, seeds = held_out(run.task, own["levels"], "overoptimization")
    model, reference = run.model(), run.reference()
    actions = stream_seed(run.seed, "overoptimization")
    judged = [
        (step, judge_episodes(snapshot, reference, model, env, seeds, actions))
        for step, snapshot in snapshots_of(run)
    ]
    turned = turn([each.hard for _, each in judged])
    rows = [{"kind": RL, **_row(step, each, run.how), **turned} for step, each in judged]
    if (run.how, run.kl) == ARMS[0]:
        rows += [{**dict.fromkeys(rows[0]), **row} for row in _best(run, own["pools"], actions)]
    return rows


def _row(step: int, judged: Judged, how: str) -> dict[str, Any]:
    return {
        "step": step,
        "n": None,
        "easy": judged.easy(how).mean(),
        "easy_mean": judged.easy("mean").mean(),
        "easy_min": judged.easy("min").mean(),
        "spread": judged.spread.mean(),
        "hard": judged.hard.mean(),
        "kl_nats": judged.kl.mean(),
        "entropy": judged.entropy.mean(),
    }


def _best(run: LearnedRun, pools: tuple[int, int], seed: int) -> list[dict[str, Any]]:
    """Best-of-n of the reference policy: means over levels, one row for each n = 2, 4, …"""
    levels, size = pools
    env, seeds = held_out(run.task, levels, "best of n")
    batch: BatchedEnv[Any] = held_out(run.task, size, "best of n")[0]
    reference, model = run.reference(), run.model()
    free = UniformPolicy(run.task)  # no divergence is needed here
    each = [
        judge_episodes(reference, free, model, batch, np.repeat(level, size), seed + k)
        for k, level in enumerate(seeds)
    ]
    scale = float(np.mean(env.optimal_returns(seeds)["true"]))
    hard = [
        j.hard * float(batch.optimal_returns(seeds[k : k + 1])["true"][0]) / scale
        for k, j in enumerate(each)
    ]
    rows = []
    for power in range(int(math.log2(size)) + 1):
        best = [best_of_n(j.easy(run.how), h, 2**power) for j, h in zip(each, hard, strict=True)]
        easy, true = (float(np.mean(column)) for column in zip(*best, strict=True))
        bound = kl_of_best_of_n(2**power)
        rows.append(
            {"kind": BEST_OF_N, "n": 2**power, "easy": easy, "hard": true, "kl_nats": bound}
        )
    return rows


BY = ("task", "pairs", "flip", "how", "kl")
VALUES = ("easy", "easy_mean", "easy_min", "spread", "hard", "kl_nats", "entropy")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over seeds at every checkpoint, the share of runs that turn, and both scaling forms."""
    trained = [row for row in rows if row["kind"] == RL]
    best = [row for row in rows if row["kind"] == BEST_OF_N]
    return {
        "seeds": over_seeds(trained, (*BY, "step"), VALUES),
        "best": over_seeds(best, (*BY, "n"), ("easy", "hard", "kl_nats")),
        "turns": [_turns(key, group) for key, group in grouped(trained, BY).items()],
        "scaling": [
            _scaling(key, group, form)
            for form, own in ((RL, trained), (BEST_OF_N, best))
            for key, group in grouped(own, BY).items()
            if key[3:] == ARMS[0]
        ],
    }


def _turns(key: tuple[Any, ...], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of the runs that turn; best and final hard return, KL and growth of the spread."""
    runs = [sorted(run, key=lambda r: r["step"]) for run in grouped(rows, ("seed",)).values()]
    turned = sum(run[0]["turned"] for run in runs)
    share, low, high = wilson_interval(turned, len(runs))
    row = {**dict(zip(BY, key, strict=True)), "runs": len(runs), "turned": turned}
    row |= {"share": share, "low": low, "high": high}
    courses = [
        {
            "start": run[0]["hard"],
            "best": max(r["hard"] for r in run),
            "final": run[-1]["hard"],
            "final_kl": run[-1]["kl_nats"],
            "spread_ratio": run[-1]["spread"] / run[0]["spread"],
        }
        for run in runs
    ]
    return row | mean_columns(courses, tuple(courses[0]))


def _scaling(key: tuple[Any, ...], rows: list[dict[str, Any]], form: str) -> dict[str, Any]:
    """α and β of the hard gain over √KL, by seeds."""
    order = "step" if form == RL else "n"
    runs = [sorted(run, key=lambda r: r[order]) for run in grouped(rows, ("seed",)).values()]
    distances = [[math.sqrt(max(r["kl_nats"], 0.0)) for r in run] for run in runs]
    gains = [[r["hard"] - run[0]["hard"] for r in run] for run in runs]
    row = {**dict(zip(BY, key, strict=True)), "form": form}
    fitted = fit_scaling(distances, gains, form, np.random.default_rng(0))
    for name in ("alpha", "beta", "peak"):
        interval = getattr(fitted, name)
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))
    return row | {"r_squared": fitted.r_squared, "rms": fitted.rms, "seeds": fitted.seeds}


SOURCE = "Coste et al. 2023, arXiv 2310.02743, variance of the ensemble, final over initial"
FRONTIER = "Gao, Schulman, Hilton 2022, arXiv 2210.10760, section 3.6"


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """Growth of the ensemble's variance, beside language models: another task, other units."""
    rules = {
        "mean": (2.75, "above 1.5: it grows", 1.5, math.inf),
        "uwo:0.5": (0.2, "below 1", 0.0, 1.0),
    }
    comparisons = []
    for row in tables["turns"]:
        if row["how"] not in rules:
            continue
        published, rule, least, most = rules[row["how"]]
        ratio = row["spread_ratio"]
        passed = least <= ratio <= most
        comparisons.append(
            PublishedComparison(
                f"{row['task']}, {row['pairs']} pairs, {row['how']}: variance, final over initial",
                published,
                SOURCE,
                ratio,
                row["spread_ratio_low"],
                row["spread_ratio_high"],
                rule,
                passed,
                ""
                if passed
                else "another task, a small model: the members differ as much on the reference",
            )
        )
    return comparisons


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    tasks = list(dict.fromkeys(row["task"] for row in tables["seeds"]))
    figures = {"": _draw_curves(tables, tasks), "turns": _draw_turns(tables, tasks)}
    return figures


def _draw_curves(tables: dict[str, list[dict[str, Any]]], tasks: list[str]) -> Figure:
    """Easy and hard proxy over √KL, by pairs, without flips."""
    figure = new_figure(4.8 * len(tasks) + 0.4, 7.0)
    panels = figure.subplots(2, len(tasks), squeeze=False, sharex="col")
    for column, task in enumerate(tasks):
        for row, (value, label) in enumerate(
            (
                ("easy", "easy proxy: reward model, s.d. a step"),
                ("hard", "hard proxy: true return / optimum"),
            )
        ):
            axes = panels[row, column]
            _draw_by_pairs(axes, tables["seeds"], task, value)
            axes.set(ylabel=label if column == 0 else "", title=task if row == 0 else "")
        panels[1, column].set(
            xlabel="√KL from the reference policy, √nats an episode", ylim=(-0.02, 1.05)
        )
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=6, title="answers of the rater"
    )
    return figure


def _draw_by_pairs(axes: Any, rows: list[dict[str, Any]], task: str, value: str) -> None:
    where = {"task": task, "flip": 0.0, "how": SINGLE, "kl": 0.0}
    for colour, pairs in zip(CYCLE, sorted({r["pairs"] for r in rows}), strict=False):
        _, kl, *_ = curve(rows, "step", "kl_nats", pairs=pairs, **where)
        _, mean, low, high = curve(rows, "step", value, pairs=pairs, **where)
        if not len(mean):
            continue
        x = np.sqrt(kl)
        axes.plot(x, mean, "-", marker="o", markersize=3, color=colour, label=f"{pairs:,}")
        axes.vlines(x, low, high, color=colour, alpha=0.35, linewidth=1.2)


def _draw_turns(tables: dict[str, list[dict[str, Any]]], tasks: list[str]) -> Figure:
    """Share of runs that turn by pairs; and what combinations and penalties change."""
    figure = new_figure(4.8 * len(tasks) + 0.4, 7.0)
    panels = figure.subplots(2, len(tasks), squeeze=False, sharey="row")
    for column, task in enumerate(tasks):
        rows = [row for row in tables["turns"] if row["task"] == task]
        main = [row for row in rows if (row["how"], row["kl"]) == ARMS[0]]
        _draw_shares(panels[0, column], main)
        panels[0, column].set(title=task)
        _draw_variants(panels[1, column], rows)
    panels[0, 0].set(ylabel="runs that turn")
    keys = [axes.get_legend_handles_labels() for axes in panels[:, 0]]
    handles, labels = (above + below for above, below in zip(*keys, strict=True))
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _draw_shares(axes: Any, rows: list[dict[str, Any]]) -> None:
    for colour, (flip,) in zip(
        (MEANINGS["true"], MEANINGS["proxy"]), grouped(rows, ("flip",)), strict=False
    ):
        own = sorted((r for r in rows if r["flip"] == flip), key=lambda r: r["pairs"])
        x = np.array([r["pairs"] for r in own]) * (1.06 if flip else 1.0)
        mean, low, high = (np.array([r[n] for r in own]) for n in ("share", "low", "high"))
        axes.errorbar(
            x,
            mean,
            (mean - low, high - mean),
            fmt="o-",
            color=colour,
            label=f"{flip:.0%} flipped" if flip else "no answers flipped",
        )
    axes.set(xscale="log", xlabel="answers of the rater", ylim=(-0.03, 1.03))
    as_percent(axes.yaxis)
    pairs = sorted({r["pairs"] for r in rows})
    axes.set_xticks(pairs, [f"{count:,}" for count in pairs])
    axes.minorticks_off()


def _draw_variants(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Best and final hard return of every way of training at the pairs where there are several."""
    several = {r["pairs"] for r in rows if (r["how"], r["kl"]) != ARMS[0]}
    own = [r for r in rows if r["pairs"] in several and r["flip"] == 0]
    names = [_name(r["how"], r["kl"]) for r in own]
    y = np.arange(len(own))[::-1]
    for name, marker, colour in (("best", "D", GREY), ("final", "o", MEANINGS["true"])):
        mean, low, high = (
            np.array([r[n] for r in own]) for n in (name, f"{name}_low", f"{name}_high")
        )
        bars = np.maximum((mean - low, high - mean), 0)
        axes.errorbar(mean, y, xerr=bars, fmt=marker, color=colour, label=f"{name} checkpoint")
    axes.set_yticks(y, names)
    pairs = ", ".join(f"{n:,}" for n in sorted(several))
    axes.set(xlabel=f"true return / optimum ({pairs} answers)", xlim=(-0.02, 1.05))
    axes.grid(axis="x")


def _name(how: str, kl: float) -> str:
    combined = "one model" if how == SINGLE else how.replace("uwo:", "mean − variance · ")
    return f"{combined}, KL penalty {kl:g}" if kl else combined
