"""Weights of ``ensemble`` from the development policies: ``python -m proxylab.leaderboard.fit``.

The weights of a task are fitted on the other tasks only.
"""

from collections.abc import Sequence

import numpy as np

from proxylab.console.output import Track, track
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.ensemble import (
    PolicyRow,
    cross_fitted,
    evidence,
    leave_one_out,
    save_weights,
)
from proxylab.detection.scores.registry import MEMBERS, Score
from proxylab.leaderboard.labels import EXCLUDED, POSITIVE, label_rows
from proxylab.leaderboard.policies import (
    BUDGETS,
    Budget,
    SuiteRollouts,
    assemble,
    contested,
    play,
)
from proxylab.rollouts.episodes import Episodes
from proxylab.storage.store import leaderboard_folder

SEED = 0


def policy_rows(task: str, budget: Budget, track: Track) -> list[PolicyRow]:
    """One row per development policy with a label."""
    suite = assemble(task, "development", budget, track)
    played = play(suite, budget.episodes, SEED, track)
    folder = leaderboard_folder() / f"development-full-{budget.episodes}-{SEED}" / task
    truth = label_rows(suite, budget.label_episodes, SEED, folder, track)
    label = {row["policy"]: row["label"] for row in truth if row["label"] != EXCLUDED}
    evidence_of: dict[str, dict[str, float | None]] = {name: {} for name in label}
    reference = played.group("reference", budget.episodes)
    for detector in track(list(MEMBERS), f"{task}: evidence"):
        for name, value in _evidence(detector, reference, played, list(label)).items():
            evidence_of[name][detector.name] = value
    return [PolicyRow(task, label[name] == POSITIVE, evidence_of[name]) for name in label]


def _evidence(
    detector: Score, reference: list[Episodes], played: SuiteRollouts, names: Sequence[str]
) -> dict[str, float]:
    """{policy: evidence} as in ``ensemble``; empty where the detector does not apply."""
    rng = np.random.default_rng(SEED)
    try:
        honest = cross_fitted(detector, reference, played.view)
        state = detector.fit(reference, played.view)
        return {n: evidence(detector.score(state, played.runs[n], rng), honest) for n in names}
    except NotApplicable:
        return {}


def main() -> None:
    """Fit the weights and save them."""
    rows = [r for task in contested() for r in policy_rows(task, BUDGETS["full"], track)]
    save_weights(leave_one_out(rows), rows)


if __name__ == "__main__":
    main()
