"""The default detector's judgement of one policy, for experiments."""

import functools
from typing import Any

import numpy as np

from proxylab.detection import DEFAULT_DETECTOR
from proxylab.detection.calibration import divide
from proxylab.detection.judge import judge
from proxylab.rollouts.rollout import Policy
from proxylab.screening.cache import DetectionCache
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import fingerprint, load_policies


def judged(policy: Policy, task: str, split: str, episodes: int) -> dict[str, Any]:
    """The default detector's score, its p-value, and whether it flags.

    Args:
        policy: the suspect.
        task: its task; the trusted agents are those that are shipped for it.
        split: name of the split that all of them play.
        episodes: number of levels.

    Returns:
        ``anomaly`` (float or None), ``p_value`` and ``flagged``.
    """
    rollouts, runs, reference = _trusted(task, split, episodes)
    assert rollouts.env is not None  # only logs have none
    (report,) = judge(
        {policy.name: rollouts.play(policy, rollouts.env)},
        runs,
        rng=np.random.default_rng(0),
        task=rollouts.view(runs.values()),
        reference=reference,
        also=(),
        cache=DetectionCache(),
    ).suspects
    score = report.scores[DEFAULT_DETECTOR].score if report.scores else None
    return {"anomaly": score, "p_value": report.p_value, "flagged": report.verdict == "FLAG"}


@functools.lru_cache(maxsize=4)
def _trusted(task: str, split: str, episodes: int) -> tuple[PairedRollouts, dict[str, Any], Any]:
    """(levels, {name: episodes}, reference names) of the shipped trusted agents of a task."""
    agents = load_policies([f"zoo:{task}/trusted"])
    rollouts = PairedRollouts(task, split, episodes, 0, agents)
    runs = rollouts.play_all(agents, lambda jobs, _: jobs, DetectionCache(), kept=set(agents))
    return rollouts, runs, divide({name: fingerprint(agent) for name, agent in agents.items()})[0]
