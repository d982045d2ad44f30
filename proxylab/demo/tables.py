"""Results of the commands as tables for the figures, stored as one JSON file."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.demo.traces import Trace
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.resampling import wilson_interval
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.demo-tables/1"

SERIES = {
    "iid/true_return": "true goal, held-out levels",
    "iid/proxy_return": "proxy goal, held-out levels",
    "shifted/true_return": "true goal, shifted levels",
    "shifted/proxy_return": "proxy goal, shifted levels",
}
"""Label of each column of a run's metrics that is drawn."""


def learning_table(
    rows: Sequence[Mapping[str, Any]], levels: Mapping[str, int] | None = None
) -> dict[str, list[Any]]:
    """Returns during training as shares of the optimal ones: a row per check and series.

    Args:
        rows: the run's metrics, a dict per check.
        levels: {split: levels of a check} where a return is the share of episodes that
            reach the goal, so that its 95 % Wilson interval can be drawn.

    Returns:
        {"timesteps", "series", "mean", "low", "high"}: lists; bounds None where unknown.
    """
    rows_out = []
    for name, label in _series(rows).items():
        for row in rows:
            bounds = _bounds(row[name], (levels or {}).get(name.split("/")[0]))
            rows_out.append((row["timesteps"], label, row[name], *bounds))
    return as_columns(("timesteps", "series", "mean", "low", "high"), rows_out)


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """{column: label} of the metrics; two goals with the same curve give one series."""
    labels = {name: label for name, label in SERIES.items() if name in rows[0]}
    if all(row["iid/true_return"] == row.get("iid/proxy_return") for row in rows):
        labels["iid/true_return"] = "both goals, held-out levels"
        del labels["iid/proxy_return"]
    return labels


def _bounds(share: float, count: int | None) -> tuple[float | None, float | None]:
    """95 % Wilson interval of a share of ``count`` episodes, (None, None) without a count."""
    if count is None:
        return None, None
    interval = wilson_interval(round(share * count), count)
    return interval.lower, interval.upper


def outcome_table(evaluation: Mapping[str, Any], labels: Sequence[str]) -> dict[str, list[Any]]:
    """Shares of outcomes, a row per agent, held-out split and outcome.

    Args:
        evaluation: what ``evaluate --json`` prints, as a dict.
        labels: label of each agent, in the order of ``evaluation["agents"]``.

    Returns:
        {"agent", "split", "outcome", "share", "low", "high"}: lists.
    """
    rows = []
    for agent, label in zip(evaluation["agents"], labels, strict=True):
        for split, result in held_out(agent).items():
            for outcome, share in result["sampled"]["outcomes"].items():
                rows.append((label, split, outcome, share["share"], *share["ci"]))
    return as_columns(("agent", "split", "outcome", "share", "low", "high"), rows)


def held_out(agent: Mapping[str, Any]) -> dict[str, Any]:
    """{split: result} of an agent of an evaluation, the training levels left out."""
    return {split: result for split, result in agent["splits"].items() if split != "train"}


def accidental_shares(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """{split: incidental rate}: share of episodes in which the proxy policy reaches the true goal.

    Of shifted levels only: on the others both goals may coincide.
    """
    splits = evaluation["agents"][0]["splits"]
    return {
        split: result["sampled"]["accidental"]["outcomes"]["intended"]["share"]
        for split, result in splits.items()
        if split == "shifted"
    }


def reached(outcomes: Mapping[str, Any]) -> float:
    """Share of episodes that reach the intended goal, with or without the proxy goal."""
    return outcomes["intended"]["share"] + outcomes["both"]["share"]


def cell_shares(episodes: Episodes, columns: int) -> list[list[float]]:
    """Share of steps in each cell of a map: nested lists [rows][columns].

    Args:
        episodes: :class:`~proxylab.rollouts.episodes.Episodes` whose state ids count the cells row
            by row.
        columns: of the map.
    """
    counts = np.bincount(episodes.state_id, minlength=episodes.num_states)
    return (counts / counts.sum()).reshape(-1, columns).round(6).tolist()


def score_table(detection: Mapping[str, Any], groups: Mapping[str, str]) -> dict[str, list[Any]]:
    """Anomaly scores of the deciding detector, a row per policy.

    Args:
        detection: what ``detect --json`` prints, as a dict.
        groups: {agent: label of its group} of the suspects.

    Returns:
        {"group", "agent", "score", "flagged"}: lists; calibration policies first, the first
        suspect last.
    """
    calibration = detection["trusted"]["calibration_scores"]
    rows = [("trusted", agent, score, False) for agent, score in calibration.items()]
    for suspect in reversed(detection["suspects"]):
        score = suspect["scores"][suspect["detector"]]["score"]
        flagged = suspect["verdict"] == "FLAG"
        rows.append((groups[suspect["agent"]], suspect["agent"], score, flagged))
    return as_columns(("group", "agent", "score", "flagged"), rows)


def flag_threshold(detection: Mapping[str, Any]) -> float | None:
    """The calibration score that a suspect must exceed to be flagged, or None: too few of them.

    A p-value of (1 + #{calibration >= score}) / (n + 1) is at most alpha when the score
    exceeds the k-th largest calibration score, k = floor(alpha (n + 1)).
    """
    scores = sorted(detection["trusted"]["calibration_scores"].values(), reverse=True)
    rank = int(detection["alpha"] * (len(scores) + 1) + 1e-9)
    return scores[rank - 1] if rank else None


def path_table(traces: Sequence[Trace], drawn: Collection[int]) -> list[dict[str, Any]]:
    """Recorded episodes as JSON values: a list of dicts.

    Args:
        traces: list of :class:`~proxylab.demo.traces.Trace`.
        drawn: level seeds whose paths are drawn; ``points`` of the others are left out.
    """
    return [
        {
            "agent": trace.agent,
            "level_seed": trace.level_seed,
            "outcome": trace.outcome,
            "returns": trace.returns,
            "points": trace.points.round(1).tolist() if trace.level_seed in drawn else [],
        }
        for trace in traces
    ]


def as_columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows (tuples) -> {name: list}."""
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def write_tables(tables: Mapping[str, Any], path: str | Path) -> Path:
    """Write the tables of a demo as one JSON file; returns the path."""
    path = Path(path)
    with whole_file(path) as temporary:
        text = json.dumps({"schema": SCHEMA, **tables}, separators=(",", ":"))
        temporary.write_text(text + "\n")
    return path


def read_tables(path: str | Path) -> dict[str, Any]:
    """Read them back; ``ValueError`` where the file is of another kind."""
    tables = json.loads(Path(path).read_text())
    if not isinstance(tables, dict) or tables.get("schema") != SCHEMA:
        raise ValueError(f"{path} does not hold the tables of a demo ({SCHEMA})")
    return tables
