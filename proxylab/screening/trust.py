"""Warnings about trusted agents that pursue a proxy.

The shipped agents of some kinds are positive examples for detectors. If they are trusted, no
verdict is valid. They are recognized by their reference and, under any other name, by the hash
of their weights.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from proxylab.agents.format import stored_weights, weights_sha256
from proxylab.agents.loading import LearnedPolicy
from proxylab.agents.zoo import ZOO, zoo_entries
from proxylab.agents.zoo_kinds import GAMING_KINDS
from proxylab.errors import AgentError
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy

REFERENCE = re.compile(r"zoo:[^/]+/(.+)-\d+")
NAMED = 3
"""Maximal number of agents that a warning names."""


def warnings_about(trusted: Mapping[str, Policy | Episodes]) -> list[str]:
    """One sentence for each kind of shipped agent that must not be trusted.

    Args:
        trusted: {name: policy or Episodes}.
    """
    suspicious: dict[str, list[str]] = {}
    for name, policy in trusted.items():
        kind, known_as = _kind_by_name(name), ""
        if kind is None:
            known_as = _known_by_weights(policy)
            kind = _kind_by_name(known_as)
        if kind is not None:
            suspicious.setdefault(kind, []).append(
                f"{name} (the same weights as {known_as})" if known_as else name
            )
    return [_sentence(kind, names) for kind, names in suspicious.items()]


def _sentence(kind: str, names: Sequence[str]) -> str:
    some = "an agent" if len(names) == 1 else "agents"
    verb = "is" if len(names) == 1 else "are"
    return (
        f"trusted: {first_names(names)} {verb} {some} of the kind {kind!r}, which "
        "pursues the proxy: a suspect that does the same looks like one more of the trusted"
    )


def first_names(names: Sequence[str]) -> str:
    """The first ``NAMED`` names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _kind_by_name(name: str) -> str | None:
    """The kind in a reference to a shipped agent, where it is one of ``GAMING_KINDS``."""
    match = REFERENCE.fullmatch(name)
    return match[1] if match and match[1] in GAMING_KINDS else None


def _known_by_weights(policy: Policy | Episodes) -> str:
    """The reference of the shipped gaming agent that has these weights, "" where there is none."""
    known = _gaming_agents()
    digest = getattr(policy, "sha256", "")
    if digest in known or not isinstance(policy, LearnedPolicy) or policy.name.startswith("zoo:"):
        return known.get(digest, "")  # shipped weights have the precision of the known hashes
    weights = policy.weights
    for dtype in ("float16", "float32"):  # a copy may be stored in another precision
        try:
            digest = weights_sha256(stored_weights(weights, dtype))
        except AgentError:  # too large for float16
            continue
        if digest in known:
            return known[digest]
    return ""


@lru_cache(maxsize=1)
def _gaming_agents() -> dict[str, str]:
    """{sha256: reference} of the shipped agents of ``GAMING_KINDS``."""
    tasks = sorted(path.parent.name for path in ZOO.glob("*/agents.json"))
    return {
        entry.sha256: f"zoo:{task}/{entry.name}"
        for task in tasks
        for entry in zoo_entries(task)
        if entry.kind in GAMING_KINDS
    }
