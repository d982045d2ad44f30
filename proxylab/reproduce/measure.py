"""Measurements of one run in experiments: rows of plain numbers, one per split."""

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import Stage, env_kwargs_of, task_of
from proxylab.evaluation.metrics import Summary, normalised_returns
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.conformal import holm
from proxylab.statistics.resampling import bootstrap_interval
from proxylab_envs.channels import OUTCOMES


def outcome_rows(
    policy: Policy,
    splits: Iterable[str] = ("iid", "shifted"),
    episodes: int = 300,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Returns and outcomes of a policy on the levels of each split, with sampled actions.

    Args:
        policy: policy of a task; it plays in the environment of its training.
        splits: names of splits.
        episodes: number of levels of each split.
        seed: seed of the levels and the action draws, the same for every policy.

    Returns:
        One dict per split: ``split``, ``episodes``, ``true_return`` and ``proxy_return``
        (means of the return over the optimal return of the level, without levels whose optimal
        return is 0), ``score`` (mean proxy return in reward units), the share of every
        outcome, ``proxy_first``, ``accidental`` and ``by_chance`` (share of the intended
        goal for the perfect proxy-seeker, and of ``proxy_first`` for the optimal policy).
    """
    env_kwargs = json.dumps(env_kwargs_of(policy), sort_keys=True)
    task = task_of(policy)
    return [_row(policy, _stage(task, split, seed, env_kwargs, episodes)) for split in splits]


@functools.lru_cache(maxsize=8)
def _stage(task: str, split: str, seed: int, env_kwargs: str, episodes: int) -> Stage:
    """The prepared levels of a split; ``env_kwargs`` as JSON text."""
    stage = Stage(task, split, seed, json.loads(env_kwargs))
    stage.prepare(episodes)
    return stage


def _row(policy: Policy, stage: Stage) -> dict[str, Any]:
    proxy_baseline, optimal_baseline = stage.proxy_baseline, stage.optimal_baseline
    if proxy_baseline is None or optimal_baseline is None:
        raise UsageError(f"{stage.task} has no scripts for the incidental rates")
    outcomes = stage.run(policy)
    shares = np.bincount(outcomes.outcome, minlength=len(OUTCOMES)) / outcomes.num_episodes
    return {
        "split": stage.split,
        "episodes": outcomes.num_episodes,
        "true_return": _mean(outcomes.returns_of("true"), stage.optimal["true"]),
        "proxy_return": _mean(
            outcomes.returns_of(stage.proxy_channel), stage.optimal[stage.proxy_channel]
        ),
        "score": float(outcomes.returns_of(stage.proxy_channel).mean()),
        **dict(zip(OUTCOMES, shares.tolist(), strict=True)),
        "proxy_first": float(outcomes.proxy_first.mean()),
        "accidental": 1 - _share_without(proxy_baseline),
        "by_chance": optimal_baseline.proxy_first.share,
    }


def _mean(returns: NDArray[np.float64], optimal: NDArray[np.float64]) -> float:
    return float(np.nanmean(normalised_returns(returns, optimal)))


def _share_without(summary: Summary) -> float:
    """Share of episodes that do not reach the intended goal."""
    return summary.outcomes["proxy"].share + summary.outcomes["neither"].share


def grouped(
    rows: Iterable[dict[str, Any]], by: Sequence[str]
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """{values of the columns ``by``: the rows with them}, in the order of the first rows."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    return groups


def paired_differences(
    rows: Iterable[dict[str, Any]],
    baselines: Iterable[dict[str, Any]],
    same: Sequence[str],
    values: Sequence[str],
) -> list[dict[str, Any]]:
    """Each row with its ``values`` less those of the baseline with equal columns ``same``.

    Rows without such a baseline are left out.
    """
    of = {tuple(row[name] for name in same): row for row in baselines}
    pairs = ((row, of.get(tuple(row[name] for name in same))) for row in rows)
    return [
        row | {value: row[value] - other[value] for value in values}
        for row, other in pairs
        if other is not None
    ]


def paired_tests(
    gaps: Iterable[dict[str, Any]], by: Sequence[str], value: str
) -> list[dict[str, Any]]:
    """Two-sided paired t tests of differences over seeds, with Holm's correction over all.

    Args:
        gaps: rows of :func:`paired_differences`, one per seed and group.
        by: columns that identify a group.
        value: the column that is tested against 0.

    Returns:
        One dict per group: the columns of ``by``, ``p_value`` (1 where all differences are
        equal) and ``p_holm``.
    """
    groups = grouped(gaps, by)
    numbers = [np.array([row[value] for row in group], float) for group in groups.values()]
    each = [float(ttest_1samp(own, 0.0).pvalue) if np.ptp(own) else 1.0 for own in numbers]
    corrected = holm(np.array(each)).tolist()
    return [
        {**dict(zip(by, key, strict=True)), "p_value": p_value, "p_holm": p_holm}
        for key, p_value, p_holm in zip(groups, each, corrected, strict=True)
    ]


def over_seeds(
    rows: Iterable[dict[str, Any]], by: Sequence[str], values: Sequence[str], seed: int = 0
) -> list[dict[str, Any]]:
    """Means over seeds with 95 % bootstrap intervals, the seed as the unit.

    Args:
        rows: dicts, one per run (and split).
        by: columns that identify a point.
        values: columns to average; rows with None there are left out.
        seed: seed of the bootstrap.

    Returns:
        One dict per point and value: the columns of ``by``, ``value``, ``runs``, ``mean``,
        ``low`` and ``high``.
    """
    means: list[dict[str, Any]] = []
    for key, group in grouped(rows, by).items():
        for value in values:
            numbers = np.array([row[value] for row in group if row[value] is not None], float)
            if len(numbers):
                mean, low, high = bootstrap_interval(numbers, np.random.default_rng(seed))
                point = dict(zip(by, key, strict=True))
                row = {**point, "value": value, "runs": len(numbers)}
                means.append(row | {"mean": mean, "low": low, "high": high})
    return means


def mean_columns(rows: Iterable[dict[str, Any]], values: Sequence[str]) -> dict[str, Any]:
    """Means with 95 % bootstrap intervals as columns of one row.

    Args:
        rows: dicts, one per run; None in a column is left out.
        values: columns to average.

    Returns:
        ``value``, ``value_low`` and ``value_high`` for each; None where no row has a number.
    """
    columns: dict[str, Any] = {}
    rows = list(rows)
    for name in values:
        numbers = np.array([row[name] for row in rows if row[name] is not None], float)
        found: tuple[Any, ...] = (None,) * 3
        if len(numbers):
            found = bootstrap_interval(numbers, np.random.default_rng(0))
        columns |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
    return columns


def curve(
    rows: Iterable[dict[str, Any]], x: str, value: str, **where: Any
) -> tuple[NDArray[Any], ...]:
    """Columns of a line with its band from the rows of :func:`over_seeds`.

    Args:
        rows: rows of :func:`over_seeds`.
        x: column of the horizontal axis.
        value: name of the value.
        where: required values of further columns.

    Returns:
        Four arrays: ``x``, mean, low and high.
    """
    chosen = [r for r in rows if r["value"] == value and all(r[k] == v for k, v in where.items())]
    chosen.sort(key=lambda row: row[x])
    return tuple(np.array([row[name] for row in chosen]) for name in (x, "mean", "low", "high"))
