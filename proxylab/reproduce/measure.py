"""What experiments measure of one run: rows of plain numbers, one a split."""

import functools
import json

import numpy as np

from proxylab.evaluation.evaluate import Stage, env_kwargs_of
from proxylab.evaluation.metrics import normalised_returns
from proxylab.statistics.resampling import bootstrap_interval
from proxylab_envs.channels import OUTCOMES


def outcome_rows(policy, splits=("iid", "shifted"), episodes=300, seed=0):
    """How a policy does on the levels of each split, with sampled actions.

    Args:
        policy: of a task; it plays in the environment that it was trained with.
        splits: names of splits.
        episodes: levels of each.
        seed: of the levels and the action draws, the same for every policy.

    Returns:
        One dict a split: ``split``, ``episodes``, ``true_return`` and ``proxy_return``
        (means of the return over the best one of its level, levels where nothing can be
        gained left out), ``score`` (mean proxy return in reward units), the share of every
        outcome, ``proxy_first``, ``accidental`` and ``by_chance`` (share of the intended
        goal for the perfect proxy-seeker, and of ``proxy_first`` for the optimal policy).
    """
    env_kwargs = json.dumps(env_kwargs_of(policy), sort_keys=True)
    return [
        _row(policy, _stage(policy.task, split, seed, env_kwargs, episodes)) for split in splits
    ]


@functools.lru_cache(maxsize=8)
def _stage(task, split, seed, env_kwargs, episodes):
    stage = Stage(task, split, seed, json.loads(env_kwargs))
    stage.prepare(episodes)
    return stage


def _row(policy, stage):
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
        "accidental": 1 - _share_without(stage.accidental),
        "by_chance": stage.by_chance.proxy_first.share,
    }


def _mean(returns, optimal):
    return float(np.nanmean(normalised_returns(returns, optimal)))


def _share_without(summary):
    return summary.outcomes["proxy"].share + summary.outcomes["neither"].share


def over_seeds(rows, by, values, seed=0):
    """Means over seeds with 95 % bootstrap intervals, the seed as the unit.

    Args:
        rows: list of dicts, one a run (and split).
        by: columns that name a point.
        values: columns to average; rows with None there are left out.
        seed: of the bootstrap.

    Returns:
        One dict a point and value: the columns of ``by``, ``value``, ``runs``, ``mean``,
        ``low`` and ``high``.
    """
    groups: dict[tuple, list] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    out = []
    for key, group in groups.items():
        for value in values:
            found = [row[value] for row in group if row[value] is not None]
            if found:
                mean, low, high = bootstrap_interval(found, np.random.default_rng(seed))
                named = dict(zip(by, key, strict=True))
                out.append({**named, "value": value, "runs": len(found)})
                out[-1] |= {"mean": mean, "low": low, "high": high}
    return out


def curve(rows, x, value, **where):
    """Columns of a line with its band from :func:`over_seeds`' rows: (x, mean, low, high).

    Args:
        rows: as returned there.
        x: column of the horizontal axis.
        value: which value.
        where: further columns and what they must be.
    """
    chosen = [r for r in rows if r["value"] == value and all(r[k] == v for k, v in where.items())]
    chosen.sort(key=lambda row: row[x])
    return tuple(np.array([row[name] for row in chosen]) for name in (x, "mean", "low", "high"))
