"""What ``evaluate`` found, as records that become its JSON."""

from dataclasses import asdict, dataclass

import numpy as np

from proxylab.evaluation.metrics import Summary

SCHEMA = "proxylab.evaluate/1"


@dataclass(frozen=True)
class SplitResult:
    """One agent on the levels of one split.

    Attributes:
        episodes: number of levels, one episode each.
        sampled: actions drawn from the policy.
        greedy: its most probable actions.
        accidental: the perfect proxy-seeker on the same levels; None where the environment
            has no scripts.
        by_chance: the optimal policy of the intended goal on the same levels, or None.
    """

    episodes: int
    sampled: Summary
    greedy: Summary
    accidental: Summary | None
    by_chance: Summary | None


@dataclass(frozen=True)
class AgentResult:
    """One agent's evaluation.

    Attributes:
        agent: its reference.
        task: task it was run on.
        trained_reward: what it was trained on (``true``, ``proxy``, ``mix:0.5``, …).
        verdict: one of ``evaluation.verdict.GOAL_VERDICTS``.
        reason: the figures that decided, in a sentence.
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
    """What :func:`evaluate` found.

    Attributes:
        seed: of levels and draws.
        agents: one :class:`AgentResult` each.
        rows: every episode played by the agents, as columns of a table: {column: array}.
    """

    seed: int
    agents: list[AgentResult]
    rows: dict[str, np.ndarray]

    def episodes(self):
        """The same rows as a list of dicts, one an episode."""
        columns = [column.tolist() for column in self.rows.values()]
        return [dict(zip(self.rows, values, strict=True)) for values in zip(*columns, strict=True)]

    def as_json(self):
        """The object that ``evaluate --json`` prints."""
        agents = [{**asdict(a), "splits": _splits_json(a.splits)} for a in self.agents]
        return {"schema": SCHEMA, "seed": self.seed, "agents": agents}


def _splits_json(splits):
    """The splits of an agent; ``accidental`` stands with the sampled and the greedy figures."""
    found = {name: asdict(result) for name, result in splits.items()}
    for result in found.values():
        accidental = result.pop("accidental")
        for mode in ("sampled", "greedy"):
            result[mode]["accidental"] = accidental
    return found
