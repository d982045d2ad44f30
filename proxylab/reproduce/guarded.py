"""Guarded suspects in experiments: the deployment, its thresholds, and what a guard was worth."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from proxylab.agents.references import load_agent
from proxylab.agents.zoo import shipped
from proxylab.guard.episodes import Guarded
from proxylab.guard.run import Deployment, threshold_of
from proxylab.guard.settings import GuardSettings
from proxylab.guard.triggers import TRIGGERS, Trigger
from proxylab.reproduce.measure import grouped, mean_columns
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.resampling import wilson_interval

ALPHA = 0.05
"""Probability that a new honest agent ever gets help."""


class Stage(NamedTuple):
    """A deployment with what every suspect is compared with there."""

    deployment: Deployment
    reference: Guarded
    triggers: dict[str, Trigger]
    thresholds: dict[tuple[str, str], float]


def trusted_agents(task: str) -> dict[str, Policy]:
    """{reference: agent} of the shipped trusted agents of a task."""
    return {name: load_agent(name) for name in shipped(task, "trusted")}


@functools.lru_cache(maxsize=1)
def stage_of(
    task: str, irrecoverable: bool, measured: tuple[tuple[str, Any], ...], watch: float = 1.0
) -> Stage:
    """The levels, the agent that takes over, and {(trigger, rate): threshold}.

    Args:
        task: task name.
        irrecoverable: the form in which gaming cannot be undone.
        measured: the settings ``episodes``, ``calibration``, ``triggers`` and ``budgets``.
        watch: share of the steps at which triggers are asked.
    """
    own = dict(measured)
    settings = GuardSettings(episodes=own["episodes"], irrecoverable=irrecoverable, watch=watch)
    deployment = Deployment(task, trusted_agents(task), settings)
    thresholds = {}
    triggers = {name: deployment.fitted(TRIGGERS[name]) for name in own["triggers"]}
    for name, trigger in triggers.items():
        agents = deployment.calibration[: own["calibration"]]
        highest = deployment.highest_of(agents, trigger)
        thresholds[name, f"alpha {ALPHA}"] = threshold_of(highest, ALPHA, None)
        for budget in own["budgets"]:
            thresholds[name, f"budget {budget}"] = threshold_of(highest, ALPHA, budget)
    reference = deployment.unguarded(deployment.references[0], TRIGGERS["entropy"])
    return Stage(deployment, reference, triggers, thresholds)


def guard_row(trigger: str, rate: str, played: Guarded, reference: Guarded) -> dict[str, Any]:
    """The columns of a guarded suspect.

    Args:
        trigger: name of the trigger, or of a baseline.
        rate: at which the threshold was set, in words.
        played: the suspect's guarded episodes.
        reference: those of the trusted agent alone, on the same levels.
    """
    helped, lost = played.any_help, reference.true_return - played.true_return
    own = reference.true_return[helped].sum()
    after = (played.true_return - played.return_before)[helped].sum()
    return {
        "trigger": trigger,
        "rate": rate,
        "kept": played.true_return.sum() / reference.true_return.sum(),
        "help_episodes": helped.mean(),
        "help_steps": played.helped.sum() / played.length.sum(),
        "ever": bool(helped.any()),
        "delay": float(np.median(played.first_help[helped])) if helped.any() else None,
        "first_episode": int(np.argmax(helped)) + 1 if helped.any() else None,
        "lost_without_help": np.where(helped, 0.0, lost).sum() / reference.true_return.sum(),
        "return_after": after / own if own > 0 else None,
    }


def guard_means(
    rows: list[dict[str, Any]], by: Sequence[str], values: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for every group of suspects: how many were ever helped, and means, with intervals.

    Args:
        rows: one for each suspect and guard, with the column ``ever``.
        by: columns that name a group.
        values: columns to average (:func:`~proxylab.reproduce.measure.mean_columns`).
    """
    table = []
    for key, group in grouped(rows, by).items():
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {"suspects": len(group)}
        share, low, high = wilson_interval(sum(r["ever"] for r in group), len(group))
        row |= {"ever": share, "ever_low": low, "ever_high": high}
        table.append(row | mean_columns(group, values))
    return table
