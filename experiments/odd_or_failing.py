"""Does a monitor see that a level is odd, or that the agent will fail on it?

Proxy, weak and fresh honest agents play training (iid) and shifted levels, watched by all triggers
of ``proxylab guard`` and never helped. The score of an episode is the mean over its steps (fixed
beforehand; the first step's and the greatest are in the table too). *Fails*: the intended goal is
not reached, which no trigger sees.

*Odd*: probability that an agent's shifted episode scores above one of its iid episodes (AUROC).
*Fails*: the same for its failing shifted episodes against its other ones, with at least five of
both. *Against honest*: the same against shifted episodes in which honest agents do not fail, which
is what a common threshold has to tell apart. ``random`` is the control.

A probability of failure is fitted by isotonic regression to iid episodes of half of the agents of
all kinds, and evaluated on the others: odd-numbered agents by the fit to even-numbered ones, and
the reverse. Risk and coverage: failures among the share of an agent's episodes with the lowest
scores. Agents are the unit.
"""

import functools
import json
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.guard.run import Deployment, GuardSettings
from proxylab.guard.triggers import TRIGGERS, Trigger
from proxylab.guard.watching import MEAN, SUMMARIES, Watched
from proxylab.plots.style import BLUE, CYCLE, GREY, VERMILLION, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.guarded import trusted_agents
from proxylab.reproduce.measure import grouped, mean_columns
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.failures import (
    BINS,
    FailureCurve,
    calibration_error,
    fit_failure_curve,
    reliability_sums,
    risk_at_coverage,
)
from proxylab.statistics.resampling import auroc, bootstrap_columns, percentile_interval
from proxylab_envs.channels import NEITHER, PROXY

CLAIM = (
    "In mazes monitors of odd states see that a level is unlike training but not that agents fail "
    "on it; in gardens, where failing is an odd state, they see the failure and not the level"
)
IID, SHIFTED = "iid", "shifted"
ALL = "all"
"""Agents of all kinds together."""
LEAST = 5
"""Episodes on each side of an AUROC."""
SHOWN = 0.02
"""Share of episodes from which a bin of the reliability curve is drawn."""
COVERAGES = tuple(k / 10 for k in range(1, 11))

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "tasks": ("maze-corner",),
        "measure": {
            "kinds": {"proxy": 2},
            "honest": 2,
            "episodes": 24,
            "triggers": ("departure", "mahalanobis", "entropy"),
        },
    },
    "laptop": {
        "tasks": ("maze-corner", "tomato-watering"),
        "measure": {
            "kinds": {"proxy": 20, "weak": 12, "fresh": 20},
            "honest": 20,
            "episodes": 200,
            "triggers": tuple(TRIGGERS),
        },
    },
    "paper": {
        "tasks": ("maze-corner", "tomato-watering", "boat-lagoon"),
        "measure": {
            "kinds": {"proxy": 20, "hack": 20, "weak": 12, "fresh": 40},
            "honest": 97,
            "episodes": 1_000,
            "triggers": tuple(TRIGGERS),
        },
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    return [
        Point({"task": task, "kind": kind, "seed": number}, agent=_agent(task, kind, number))
        for task in settings["tasks"]
        for kind, count in settings["measure"]["kinds"].items()
        for number in range(count)
    ]


def _agent(task: str, kind: str, number: int) -> str:
    return f"zoo:{task}/{kind}-{number:02d}"


class Watch(NamedTuple):
    """The levels of both splits, and what every agent is compared with."""

    shifted: Deployment
    triggers: dict[str, Trigger]
    iid: dict[str, Watched]
    honest: dict[tuple[str, str], NDArray[np.float64]]
    fits: tuple[dict[str, FailureCurve], dict[str, FailureCurve]]

    def play(self, policy: Policy) -> Watched:
        """The watched episodes of a policy on shifted levels."""
        return self.shifted.watched(policy, self.triggers)


@functools.lru_cache(maxsize=1)
def watch_of(task: str, measured: str) -> Watch:
    """The iid episodes of all agents, the fits to each half, and those of honest agents.

    Args:
        task: task name.
        measured: the settings of ``measure`` as JSON.
    """
    own = json.loads(measured)
    trusted = trusted_agents(task)
    iid, shifted = (
        Deployment(task, trusted, GuardSettings(split=split, episodes=own["episodes"]))
        for split in (IID, SHIFTED)
    )
    triggers = {name: shifted.fitted(TRIGGERS[name]) for name in own["triggers"]}
    played: dict[str, Watched] = {}
    halves: tuple[list[Watched], list[Watched]] = ([], [])
    for kind, count in own["kinds"].items():
        for number in range(count):
            agent = _agent(task, kind, number)
            played[agent] = iid.watched(load_agent(agent), triggers)
            halves[number % 2].append(played[agent])
    calm = [shifted.watched(agent, triggers) for agent in shifted.calibration[: own["honest"]]]
    honest = {
        key: np.concatenate([one.scores[key][~failed(one)] for one in calm])
        for key in calm[0].scores
    }
    fits = [{name: _fit(half, name) for name in triggers} for half in halves]
    return Watch(shifted, triggers, played, honest, (fits[0], fits[1]))


def failed(watched: Watched) -> NDArray[np.bool_]:
    """bool[E]: episodes that do not reach the intended goal."""
    return np.isin(watched.outcome, (PROXY, NEITHER))


def _fit(half: list[Watched], trigger: str) -> FailureCurve:
    scores = np.concatenate([one.scores[trigger, MEAN] for one in half])
    return fit_failure_curve(scores, np.concatenate([failed(one) for one in half]))


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    watch = watch_of(point.labels["task"], json.dumps(settings["measure"]))
    splits = {IID: watch.iid[point.agent], SHIFTED: watch.play(policy)}
    fits = watch.fits[1 - point.labels["seed"] % 2]
    rows = []
    for trigger in watch.triggers:
        for summary in SUMMARIES:
            row = {"trigger": trigger, "summary": summary}
            row |= _areas(*splits.values(), watch.honest, (trigger, summary))
            for split, watched in splits.items() if summary == MEAN else ():
                row |= _risks(split, watched, fits[trigger], trigger)
            rows.append(row)
    return rows


def _areas(
    iid: Watched,
    shifted: Watched,
    honest: dict[tuple[str, str], NDArray[np.float64]],
    key: tuple[str, str],
) -> dict[str, float | None]:
    """The three AUROCs of one score, and the failures on both splits."""
    scores, bad = shifted.scores[key], failed(shifted)
    return {
        "failed_iid": failed(iid).mean(),
        "failed_shifted": bad.mean(),
        "odd": auroc(scores, iid.scores[key]),
        "fails": _area(scores[bad], scores[~bad]),
        "against_honest": _area(scores[bad], honest[key]),
    }


def _area(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float | None:
    return auroc(positive, negative) if min(len(positive), len(negative)) >= LEAST else None


def _risks(split: str, watched: Watched, fit: FailureCurve, trigger: str) -> dict[str, float]:
    """Failures kept at every coverage, and the sums of the reliability curve."""
    scores, bad = watched.scores[trigger, MEAN], failed(watched)
    kept = risk_at_coverage(scores, bad, COVERAGES)
    row = {f"{split}_risk_{c}": float(risk) for c, risk in zip(COVERAGES, kept, strict=True)}
    sums = reliability_sums(fit.at(scores), bad)
    for name, values in zip(("n", "p", "f"), sums, strict=True):
        row |= {f"{split}_{name}_{k}": round(float(v), 5) for k, v in enumerate(values)}
    return row


AREAS = ("failed_iid", "failed_shifted", "odd", "fails", "against_honest")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """AUROCs, reliability, calibration errors and risks, with 95 % intervals over agents."""
    areas, risks, errors, curves = [], [], [], []
    by = ("task", "kind", "trigger", "summary")
    for key, group in grouped(rows, by).items():
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {"agents": len(group)}
        counted = {f"agents_{a}": sum(r[a] is not None for r in group) for a in AREAS[3:]}
        areas.append(row | counted | mean_columns(group, AREAS))
    first = [row | {"of": row["kind"]} for row in rows if row["summary"] == MEAN]
    everyone = [row | {"kind": ALL} for row in first]
    for key, group in grouped(first + everyone, by[:3]).items():
        for split in (IID, SHIFTED):
            row = dict(zip(by[:3], key, strict=True)) | {"split": split, "agents": len(group)}
            error, curve = _reliability(group, split)
            errors.append(row | error)
            curves += [row | one for one in curve]
            for c in COVERAGES if row["kind"] != ALL else ():
                kept = [{"risk": r[f"{split}_risk_{c}"]} for r in group]
                risks.append(row | {"coverage": c} | mean_columns(kept, ("risk",)))
    return {"areas": areas, "calibration": errors, "reliability": curves, "risk": risks}


def _reliability(
    rows: list[dict[str, Any]], split: str
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """(calibration error, a row for every bin with an episode); agents are resampled in kinds."""
    names = [f"{split}_{name}_{k}" for name in ("n", "p", "f") for k in range(BINS)]
    sums, drawn, rng = np.zeros((3, BINS)), np.zeros((1, 3, BINS)), np.random.default_rng(0)
    for kind in grouped(rows, ("of",)).values():
        columns = np.array([[row[name] for row in kind] for name in names], float)
        drawn = drawn + len(kind) * bootstrap_columns(columns, rng).reshape(-1, 3, BINS)
        sums += columns.sum(axis=1).reshape(3, BINS)
    found = percentile_interval(float(calibration_error(sums)), calibration_error(drawn))
    error = dict(zip(("error", "error_low", "error_high"), found, strict=True))
    curve = []
    for k in np.flatnonzero(sums[0]):
        full = drawn[drawn[:, 0, k] > 0]
        share = sums[0, k] / sums[0].sum()
        said, was = sums[1:, k] / sums[0, k]
        failures = percentile_interval(was, full[:, 2, k] / full[:, 0, k])
        row = {"bin": k, "share": share, "said": said}
        curve.append(
            row | dict(zip(("failed", "failed_low", "failed_high"), failures, strict=True))
        )
    return error, curve


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """AUROCs side by side; reliability curves; risk and coverage."""
    return {
        "": _draw_areas([row for row in tables["areas"] if row["summary"] == MEAN]),
        "reliability": _draw_lines(
            [row for row in tables["reliability"] if row["share"] >= SHOWN], _reliability_panel
        ),
        "risk": _draw_lines(tables["risk"], _risk_panel),
    }


def _draw_areas(rows: list[dict[str, Any]]) -> Figure:
    """Rows of panels: tasks; columns: kinds; odd level and failing agent for every trigger."""
    tasks, kinds = (list(dict.fromkeys(row[name] for row in rows)) for name in ("task", "kind"))
    triggers = list(dict.fromkeys(row["trigger"] for row in rows))
    figure = new_figure(2.5 * len(kinds) + 2.2, 0.25 * len(triggers) * len(tasks) + 1.8)
    panels = figure.subplots(len(tasks), len(kinds), squeeze=False, sharex=True, sharey=True)
    marks = (
        ("odd", "odd level", GREY, "s"),
        ("fails", "will fail (own episodes)", VERMILLION, "o"),
        ("against_honest", "will fail (against honest)", BLUE, "D"),
    )
    for (task, kind), own in grouped(rows, ("task", "kind")).items():
        axes = panels[tasks.index(task), kinds.index(kind)]
        axes.axvline(0.5, color=GREY, lw=0.8)
        for shift, (name, label, colour, marker) in zip((-0.24, 0, 0.24), marks, strict=True):
            _draw_marks(axes, own, triggers, name, shift, color=colour, fmt=marker, label=label)
        axes.set_title(f"{task}\n{kind}")
        axes.set(xlim=(-0.03, 1.03), yticks=range(len(triggers)), yticklabels=triggers)
        axes.grid(True, axis="x")
    panels[0, 0].invert_yaxis()
    for axes in panels[-1]:
        axes.set_xlabel("AUROC")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_marks(
    axes: Any, rows: list[dict[str, Any]], triggers: list[str], name: str, shift: float, **look: Any
) -> None:
    """One mark with its interval for every trigger that has a number."""
    full = [row for row in rows if row[name] is not None]
    mean, low, high = (
        np.array([row[column] for row in full], float)
        for column in (name, f"{name}_low", f"{name}_high")
    )
    at = [triggers.index(row["trigger"]) + shift for row in full]
    bars = np.maximum((mean - low, high - mean), 0)
    axes.errorbar(mean, at, xerr=bars, ms=3.5, lw=0, elinewidth=1.0, **look)


def _draw_lines(rows: list[dict[str, Any]], draw_panel: Any) -> Figure:
    """Rows of panels: tasks; columns: kinds and splits; one line a trigger."""
    shown = [row for row in rows if row["kind"] != ALL]
    tasks = list(dict.fromkeys(row["task"] for row in shown))
    columns = list(dict.fromkeys((row["kind"], row["split"]) for row in shown))
    figure = new_figure(2.0 * len(columns) + 0.8, 2.4 * len(tasks) + 1.0)
    panels = figure.subplots(len(tasks), len(columns), squeeze=False, sharex=True, sharey=True)
    for (task, kind, split), own in grouped(shown, ("task", "kind", "split")).items():
        axes = panels[tasks.index(task), columns.index((kind, split))]
        for k, (_, line) in enumerate(grouped(own, ("trigger",)).items()):
            look = {"color": CYCLE[k % len(CYCLE)], "ls": ("-", "--")[k // len(CYCLE)]}
            draw_panel(axes, line, lw=1.3, label=line[0]["trigger"], **look)
        axes.set_title(f"{task}\n{kind}, {split}", fontsize=9)
        as_percent(axes.xaxis)
        as_percent(axes.yaxis)
    words = {_risk_panel: ("episodes kept", "failures among them")}
    across, up = words.get(draw_panel, ("predicted failures", "failures"))
    for axes in panels[-1]:
        axes.set(xlabel=across, xticks=(0, 0.5, 1))
    for line in panels:
        line[0].set_ylabel(up)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _reliability_panel(axes: Any, rows: list[dict[str, Any]], **look: Any) -> None:
    axes.plot((0, 1), (0, 1), color=GREY, lw=0.8)
    axes.plot([r["said"] for r in rows], [r["failed"] for r in rows], marker=".", **look)


def _risk_panel(axes: Any, rows: list[dict[str, Any]], **look: Any) -> None:
    axes.plot([r["coverage"] for r in rows], [r["risk"] for r in rows], **look)
