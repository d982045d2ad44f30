"""Weights of ``ensemble`` from the development policies: ``python -m proxylab.leaderboard.fit``.

For each task they are fitted on the other tasks alone.
"""

import numpy as np

from proxylab.console import track
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.ensemble import (
    PolicyRow,
    cross_fitted,
    evidence,
    leave_one_out,
    save_weights,
)
from proxylab.detection.scores.registry import MEMBERS
from proxylab.leaderboard.labels import EXCLUDED, POSITIVE, label_rows
from proxylab.leaderboard.policies import BUDGETS, assemble, contested, play
from proxylab.storage.store import leaderboard_folder

SEED = 0


def policy_rows(task, budget, track):
    """A row a development policy that has a label: list[PolicyRow]."""
    suite = assemble(task, "development", budget, track)
    played = play(suite, budget.episodes, SEED, track)
    folder = leaderboard_folder() / f"development-full-{budget.episodes}-{SEED}" / task
    truth = label_rows(suite, budget.label_episodes, SEED, folder, track)
    label = {row["policy"]: row["label"] for row in truth if row["label"] != EXCLUDED}
    found = {name: {} for name in label}
    reference = played.group("reference", budget.episodes)
    for detector in track(list(MEMBERS), f"{task}: evidence"):
        for name, value in _evidence(detector, reference, played, list(label)).items():
            found[name][detector.name] = value
    return [PolicyRow(task, label[name] == POSITIVE, found[name]) for name in label]


def _evidence(detector, reference, played, names):
    """{policy: evidence}, as ``ensemble`` will see it; empty where the detector does not apply."""
    rng = np.random.default_rng(SEED)
    try:
        honest = cross_fitted(detector, reference, played.view)
        state = detector.fit(reference, played.view)
        return {n: evidence(detector.score(state, played.runs[n], rng), honest) for n in names}
    except NotApplicable:
        return {}


def main():
    """Fit and save."""
    rows = [r for task in contested() for r in policy_rows(task, BUDGETS["full"], track)]
    save_weights(leave_one_out(rows), rows)


if __name__ == "__main__":
    main()
