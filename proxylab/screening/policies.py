"""Loading of suspects and trusted agents, as policies or logs, and their common task."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from proxylab.detection.calibration import fingerprint_of_name
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import as_policies, task_of
from proxylab.logs import log_files
from proxylab.logs.collection import EachFile, LogReader, in_order
from proxylab.logs.rows import NO_TASK
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.tasks import known_task

Agent = str | Path | Policy | Episodes
"""A reference, the path of a log, a policy, or Episodes."""


def load_policies(
    given: Agent | Iterable[Agent],
    device: str = "cpu",
    task: str | None = None,
    large_logs: str | None = None,
    each: EachFile = in_order,
) -> dict[str, Policy | Episodes]:
    """{name: policy or Episodes}; duplicates are merged, log files are read.

    Args:
        given: references, paths of logs, policies or Episodes, one or more.
        device: on which networks run.
        task: of logs that do not name theirs.
        large_logs: folder for temporary files of logs over the limits, or None.
        each: how many files of large logs are read: one after another, or in parallel.

    Raises:
        UsageError: no agent, or two different agents of the same name.
    """
    policies: dict[str, Policy | Episodes] = {}
    logs = LogReader(task, large_logs, each)
    for agent in _agents_in(given):
        for policy in _policies_of(agent, device, logs):
            name = name_of(policy)
            if fingerprint(policies.setdefault(name, policy)) != fingerprint(policy):
                raise UsageError(f"two different agents are called {name}")
    if not policies:
        raise UsageError("name at least one agent")
    return policies


def _agents_in(given: Agent | Iterable[Agent]) -> Iterable[Agent]:
    """A single agent as a list of one."""
    if isinstance(given, str | Path | Episodes) or not isinstance(given, Iterable):
        return [given]
    return given


def _policies_of(agent: Agent, device: str, logs: LogReader) -> Sequence[Policy | Episodes]:
    """The policies or Episodes of one reference, policy, log or log file."""
    if isinstance(agent, Episodes):
        return [agent]
    reference = str(agent) if isinstance(agent, Path) else agent
    files = [] if hasattr(reference, "probabilities") else log_files(str(reference))
    if files:
        return logs.read(files, str(reference))
    return as_policies([reference], device)


def name_of(policy: Policy | Episodes) -> str:
    """The name of a policy, or of the policy that a log recorded."""
    return policy.policy if isinstance(policy, Episodes) else policy.name


def fingerprint(policy: Policy | Episodes) -> str:
    """Hash that identifies an agent: of its weights, or of its name where they are unknown."""
    return getattr(policy, "sha256", "") or fingerprint_of_name(name_of(policy))


def common_task(policies: Mapping[str, Policy | Episodes], task: str | None = None) -> str:
    """The one task of all policies; ``UsageError`` where they differ or it is unknown."""
    for policy in policies.values():
        if isinstance(policy, Episodes):
            if task and policy.task == NO_TASK != task:
                raise UsageError(f"the log of {policy.policy} names no task: say --task {task}")
            if task and policy.task != task:
                raise UsageError(f"{policy.policy} was recorded on {policy.task}, not on {task}")
            task = policy.task
        else:
            task = task_of(policy, task)
    if task is None:
        raise UsageError("name at least one agent")
    if not all(isinstance(policy, Episodes) for policy in policies.values()):
        known_task(task)
    return task
