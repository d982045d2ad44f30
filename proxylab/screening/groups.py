"""Grouping of suspects: each gets the verdict that it would get alone.

A suspect is compared with all trusted agents except itself; a log is compared on its own
levels. Suspects with the same trusted agents and levels share the rollouts of the trusted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.calibration import divide
from proxylab.detection.judge import SuspectGroup
from proxylab.detection.task_view import TaskView
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.rollouts.state_ids import MOST_STATES, dense_states


@dataclass(frozen=True)
class PolicyGroup:
    """Suspects that are compared with the same trusted agents on the same levels.

    Attributes:
        suspects: {name: policy or Episodes}.
        trusted: {name: policy or Episodes}, none of them a suspect of this group.
    """

    suspects: dict[str, Policy | Episodes]
    trusted: dict[str, Policy | Episodes]

    @property
    def policies(self) -> dict[str, Policy | Episodes]:
        """Trusted policies, then suspects."""
        return self.trusted | self.suspects


def grouped(
    suspects: Mapping[str, Policy | Episodes],
    trusted: Mapping[str, Policy | Episodes],
    fingerprint: Callable[[Policy | Episodes], str],
) -> list[PolicyGroup]:
    """Suspects grouped by the trusted policies and levels of their comparison.

    Args:
        suspects: {name: policy or Episodes}.
        trusted: {name: policy or Episodes}.
        fingerprint: function (policy) -> hash; trusted agents with the hash of a suspect are
            left out of its comparison.

    Raises:
        UsageError: no trusted policy is left for a suspect.
    """
    groups: dict[tuple[str | bytes | int, ...], PolicyGroup] = {}
    hashes = {name: fingerprint(policy) for name, policy in trusted.items()}
    for name, suspect in suspects.items():
        own = fingerprint(suspect)
        others = {n: p for n, p in trusted.items() if n != name and hashes[n] != own}
        if not others:
            raise UsageError("no trusted policy other than the suspects themselves")
        group = groups.setdefault((*others, *_log_facts(suspect)), PolicyGroup({}, others))
        group.suspects[name] = suspect
    return list(groups.values())


def _log_facts(suspect: Policy | Episodes) -> tuple[bytes | int, ...]:
    """Levels and sizes of a log, which also hold for its comparison; () for a policy."""
    if not isinstance(suspect, Episodes):
        return ()
    return (suspect.level_seed.tobytes(), suspect.num_states, suspect.num_actions)


def levels_of(logs: Iterable[Episodes]) -> NDArray[np.int64]:
    """int64[L]: the levels of the first log, then the new levels of each later log."""
    levels: NDArray[np.int64] = np.empty(0, np.int64)
    for log in logs:
        levels = np.concatenate([levels, log.level_seed[~np.isin(log.level_seed, levels)]])
    return levels


def judged_groups(
    group: PolicyGroup,
    runs: Mapping[str, Episodes],
    view: Callable[[Iterable[Episodes]], TaskView],
    fingerprint: Callable[[Policy | Episodes], str],
) -> list[SuspectGroup]:
    """The input of ``judge_groups`` from the rollouts of a group.

    Hashed states are numbered separately for each suspect, because the numbers depend on the
    set of policies.

    Args:
        group: the policies.
        runs: {name: Episodes} of all policies of the group.
        view: function (Episodes of the trusted) -> ``TaskView`` of the levels they share.
        fingerprint: function (policy) -> hash, by which reference policies are chosen.
    """
    hashed = any(episodes.num_states > MOST_STATES for episodes in runs.values())
    parts = [[name] for name in group.suspects] if hashed else [list(group.suspects)]
    reference = divide({name: fingerprint(policy) for name, policy in group.trusted.items()})[0]
    groups = []
    for names in parts:
        numbered = dense_states({n: runs[n] for n in (*group.trusted, *names)}, reference)
        suspects, trusted = (
            {name: numbered[name] for name in side} for side in (names, group.trusted)
        )
        groups.append(SuspectGroup(suspects, trusted, view(trusted.values()), tuple(reference)))
    return groups
