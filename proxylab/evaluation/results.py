"""The results of ``evaluate``, as records that become its JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from proxylab.evaluation.metrics import Summary

SCHEMA = "proxylab.evaluate/1"


@dataclass(frozen=True)
class SplitResult:
    """One agent on the levels of one split.

    Attributes:
        episodes: number of levels, one episode each.
        sampled: with actions drawn from the policy.
        greedy: with its most probable actions.
        proxy_baseline: the perfect proxy-seeker on the same levels; None if the environment
            has no scripts. ``accidental`` in the JSON.
        optimal_baseline: the optimal policy of the intended goal on the same levels, or None.
            ``by_chance`` in the JSON.
    """

    episodes: int
    sampled: Summary
    greedy: Summary
    proxy_baseline: Summary | None
    optimal_baseline: Summary | None


@dataclass(frozen=True)
class AgentResult:
    """One agent's evaluation.

    Attributes:
        agent: reference of the agent.
        task: task it was evaluated on.
        trained_reward: reward it was trained on (``true``, ``proxy``, ``mix:0.5``, …).
        verdict: one of ``evaluation.verdict.GOAL_VERDICTS``.
        reason: the numbers behind the verdict, in one sentence.
        splits: {split: :class:`SplitResult`}.
    """

    agent: str
    task: str
    trained_reward: str
    verdict: str
    reason: str
    splits: dict[str, SplitResult]


@dataclass(frozen=True)
class Evaluation:
    """The result of :func:`~proxylab.evaluation.evaluate.evaluate`.

    Attributes:
        seed: of levels and action draws.
        agents: one :class:`AgentResult` per agent.
        rows: all episodes of the agents, as columns of a table: {column: array}.
    """

    seed: int
    agents: list[AgentResult]
    rows: dict[str, NDArray[Any]]

    def episodes(self) -> list[dict[str, Any]]:
        """``rows`` as a list of dicts, one per episode."""
        columns = [column.tolist() for column in self.rows.values()]
        return [dict(zip(self.rows, values, strict=True)) for values in zip(*columns, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """The object that ``evaluate --json`` prints."""
        agents = [{**asdict(a), "splits": _splits_json(a.splits)} for a in self.agents]
        return {"schema": SCHEMA, "seed": self.seed, "agents": agents}


def _splits_json(splits: Mapping[str, SplitResult]) -> dict[str, dict[str, Any]]:
    """The splits of an agent, with the baselines under the keys of the JSON format.

    ``accidental``, the proxy-policy baseline, is in the blocks ``sampled`` and ``greedy``.
    """
    records = {name: asdict(result) for name, result in splits.items()}
    for record in records.values():
        proxy_baseline = record.pop("proxy_baseline")
        for mode in ("sampled", "greedy"):
            record[mode]["accidental"] = proxy_baseline
        record["by_chance"] = record.pop("optimal_baseline")
    return records
