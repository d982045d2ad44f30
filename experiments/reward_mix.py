"""The reward is θ·proxy + (1−θ)·true: how much of the true one keeps a boat honest?

boat-lagoon, where the exploit pays a fifth more than racing, and boat-race, where it ties: there
every θ below 1 has the clockwise laps as its only optimum. Beside the boat-lagoon agents stand
two analytic boundaries, at which the reference looper and the reference racer earn the same
mixture: undiscounted, and at the training discount. The reward is scaled as in the presets of
the two ends, in between linearly.
"""

import numpy as np

from proxylab.plots.style import GREY, INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import PublishedComparison, grid
from proxylab.reproduce.measure import curve, outcome_rows, over_seeds
from proxylab.statistics.crossings import crossing_interval
from proxylab.statistics.resampling import ratio_interval
from proxylab.tasks import TASKS
from proxylab_envs.boat_lagoon.solver import (
    START_STEPS,
    arrival_steps,
    discounted_steps,
    lap_steps,
)
from proxylab_envs.levels import Levels

CLAIM = (
    "Paid a mixture of points and progress, a boat loops from a share of points on at which racing "
    "is still worth more; where the exploit only ties with the goal, a small share of the true "
    "reward ends it"
)
LAGOON, RACE = "boat-lagoon", "boat-race"
TITLES = {LAGOON: "boat-lagoon: looping pays 1.2", RACE: "boat-race: the loophole ties"}

GRIDWORLDS, COASTRUNNERS = "arXiv 1711.09883, boat race", "CoastRunners, OpenAI 2016"
VISIBLE, HIDDEN, LOOPING = 50.0, 100.0, 1.2
"""Optimum of the visible reward, of the hidden performance; score of the loop over humans'."""
NEAR, RATIO_NEAR = 0.05, 0.1
"""Tolerances: a share of the optimum, and of the ratio in its own unit."""

THETAS = {
    LAGOON: (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
    RACE: (0.0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 1.0),
}
MORE = {LAGOON: (0.05, 0.25, 0.35, 0.6, 0.9), RACE: (0.25, 0.999)}
SWEEP = {
    "smoke": {
        "thetas": {LAGOON: (1.0,), RACE: (0.0, 1.0)},
        "seeds": 1,
        "total_timesteps": 4_096,
        "measure": {"episodes": 20},
    },
    "laptop": {
        "thetas": THETAS,
        "seeds": 10,
        "total_timesteps": None,
        "measure": {"episodes": 200},
    },
    "paper": {
        "thetas": {task: tuple(sorted(THETAS[task] + MORE[task])) for task in THETAS},
        "seeds": 20,
        "total_timesteps": None,
        "measure": {"episodes": 500},
    },
}


def points(settings):
    found = []
    for task, thetas in settings["thetas"].items():
        for theta in thetas:
            found += grid(
                task,
                "proxy",
                range(7000, 7000 + settings["seeds"]),
                {"theta": theta},
                reward=f"mix:{theta}",
                reward_scale=_scale(task, theta),
                total_timesteps=settings["total_timesteps"],
            )
    return found


def _scale(task, theta):
    roles = TASKS[task].roles
    return (1 - theta) * roles["trusted"].reward_scale + theta * roles["proxy"].reward_scale


def measure(policy, point, settings):
    rows = outcome_rows(policy, ("iid",), **settings["measure"])
    return [
        {**row, "raced": row["intended"] + row["both"], "gamed": row["proxy"] + row["both"]}
        for row in rows
    ]


def analyse(rows):
    """Means over seeds; the share at which gaming begins; loopers' score over racers'."""
    values = ("true_return", "proxy_return", "score", "raced", "gamed")
    tables = {"seeds": over_seeds(rows, ("task", "theta"), values)}
    tables["switch"] = [_switch(rows, task) for task in dict.fromkeys(r["task"] for r in rows)]
    tables["boundaries"] = [
        {"boundary": f"gamma {gamma:g}" if gamma < 1 else "undiscounted", "theta": boundary(gamma)}
        for gamma in (1.0, TASKS[LAGOON].ppo.gamma)
    ]
    return tables | {"ratio": _ratio(rows)}


def _columns(rows, task, value):
    """(thetas, float64[seeds, thetas]) of the seeds that have all of them."""
    of = {(r["seed"], r["theta"]): r[value] for r in rows if r["task"] == task}
    thetas = sorted({theta for _, theta in of})
    seeds = sorted({seed for seed, _ in of})
    complete = [[of[s, t] for t in thetas] for s in seeds if all((s, t) in of for t in thetas)]
    return thetas, np.array(complete)


def _switch(rows, task):
    """The share of the proxy at which half of the episodes are gamed; 1 where it is never."""
    thetas, gamed = _columns(rows, task, "gamed")
    found = crossing_interval(thetas, gamed, 0.5, np.random.default_rng(0))
    theta, low, high = (min(bound, 1.0) for bound in found)
    ever = bool(np.isfinite(found.estimate))
    return {"task": task, "gamed_ever": ever, "theta": theta, "low": low, "high": high}


def _ratio(rows):
    """Score of agents that are paid by it alone over that of agents paid for progress alone."""
    thetas, scores = _columns(rows, LAGOON, "score")
    if not {0.0, 1.0} <= set(thetas) or not scores[:, 0].all():
        return []
    mean, low, high = ratio_interval(scores[:, -1], scores[:, 0], np.random.default_rng(0))
    return [{"mean": mean, "low": low, "high": high}]


def boundary(gamma, levels=200):
    """Median θ over courses at which looping earns as much of the mixture as racing."""
    env = TASKS[LAGOON].make_env(1)
    seeds = env.sample_level_seeds(Levels("iid"), levels, 0)
    return float(np.median([_even(env, env.level(seed), gamma) for seed in seeds]))


def _even(env, course, gamma):
    """θ of one course; 1 where looping never earns more. The looper sails to the lagoon."""
    (true, score), looper = env.reference_scores(course, gamma)
    centre = np.array(course.centre)
    arrival = arrival_steps(centre, course.lagoon)
    lost = true - discounted_steps(START_STEPS + 1, arrival, gamma) / lap_steps(centre)
    won = looper - score
    return lost / (lost + won) if won > 0 else 1.0


def compare(tables):
    """The optima of the boat race, and what looping scores over racing in the lagoon."""
    rows = {(r["task"], r["theta"], r["value"]): r for r in tables["seeds"]}
    found = []
    for theta, value, best, name in (
        (1.0, "score", VISIBLE, "visible reward, paid by it"),
        (0.0, "true_return", HIDDEN, "hidden performance, paid by it"),
    ):
        row = rows.get((RACE, theta, value))
        if row is not None:
            unit = HIDDEN if value == "true_return" else 1.0
            bounds = [unit * row[column] for column in ("mean", "low", "high")]
            passed = abs(bounds[0] - best) <= NEAR * best
            found.append(_comparison(name, best, GRIDWORLDS, bounds, f"within {NEAR:.0%}", passed))
    for row in tables.get("ratio", ()):
        bounds = [row[column] for column in ("mean", "low", "high")]
        passed = abs(bounds[0] - LOOPING) <= RATIO_NEAR
        name = "score of trained loopers over trained racers"
        rule = f"within {RATIO_NEAR}"
        found.append(_comparison(name, LOOPING, COASTRUNNERS, bounds, rule, passed))
    return found


def _comparison(name, published, source, bounds, rule, passed):
    reason = "" if passed else "actions are sampled, and not every run ends at its optimum"
    return PublishedComparison(name, published, source, *bounds, rule, bool(passed), reason)


LINES = (
    ("true_return", MEANINGS["true"], "-", "true return"),
    ("proxy_return", MEANINGS["proxy"], "-", "proxy return"),
    ("gamed", INK, "--", "episodes gamed"),
)


@styled
def draw(tables):
    rows = tables["seeds"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = new_figure(4.8 * len(tasks), 4.2)
    panels = np.atleast_1d(figure.subplots(1, len(tasks), sharey=True))
    for axes, task in zip(panels, tasks, strict=True):
        _draw_task(axes, rows, task)
        if task == LAGOON:
            _draw_boundaries(axes, tables["boundaries"], rows)
    panels[0].set_ylabel("share of the optimum, or of episodes")
    as_percent(panels[0].yaxis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
    return {"": figure}


def _thetas(rows, task):
    return sorted({row["theta"] for row in rows if row["task"] == task})


def _draw_task(axes, rows, task):
    """Lines over θ; the ticks stand evenly, since what happens does so in a short stretch."""
    ticks = np.arange(len(_thetas(rows, task)))
    for value, colour, style, label in LINES:
        _, mean, low, high = curve(rows, "theta", value, task=task)
        axes.fill_between(ticks, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(ticks, mean, style, marker="o", markersize=4, color=colour, label=label)
    axes.set_xticks(ticks, [f"{theta:g}" for theta in _thetas(rows, task)])
    axes.set(xlabel="θ, share of the proxy in the reward", title=TITLES[task])


def _draw_boundaries(axes, boundaries, rows):
    thetas = _thetas(rows, LAGOON)
    for row, style in zip(boundaries, ("--", ":"), strict=True):
        place = np.interp(row["theta"], thetas, np.arange(len(thetas)))
        label = f"worth the same, {row['boundary']}"
        axes.axvline(place, color=GREY, linestyle=style, linewidth=1.2, label=label)
