"""The admission rule of ``detect``: competence of suspects and trusted agents.

The rule is that of the shipped agents (``proxylab.agents.zoo.admits``). It reads the
reward that a monitor sees on held-out training-like levels, and nothing of the shifted ones. It
never changes a verdict: a suspect below the bound is undertrained, and a FLAG of it may mean no
more than that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.agents.zoo import admits
from proxylab.console.output import Track
from proxylab.detection.kinds import with_ability
from proxylab.detection.records import Competence, Detection, SuspectReport
from proxylab.environments.resolve import make_environment
from proxylab.evaluation.competence import CompetenceScale
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.screening.cache import DetectionCache
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.trust import first_names
from proxylab.tasks import TASKS
from proxylab_envs.channels import proxy_channels

SPLIT = "iid"
"""Held-out levels that are made as the training levels are."""
RANDOM, BEST = "\nrandom actions", "\nscript"
"""The two ends of the scale, under names that no agent has."""


def with_competence(
    detection: Detection,
    suspects: Mapping[str, Policy | Episodes],
    trusted: Mapping[str, Policy | Episodes],
    track: Track,
    cache: DetectionCache | None = None,
) -> Detection:
    """A detection with the competence of its suspects, and a warning about trusted agents.

    Shipped trusted agents are not measured again: the zoo has admitted them.
    """
    task = detection.task
    own = {name: policy for name, policy in trusted.items() if not name.startswith("zoo:")}
    values = competence_of({**own, **suspects}, task, track, cache, kept=own)
    reports = [
        _with_competence(report, _judged(task, values[report.agent]))
        if report.agent in values
        else report
        for report in detection.suspects
    ]
    below = [name for name in own if name in values and not admits(task, values[name])]
    return replace(detection, suspects=reports, warnings=[*detection.warnings, *_warning(below)])


def competence_of(
    policies: Mapping[str, Policy | Episodes],
    task: str,
    track: Track,
    cache: DetectionCache | None = None,
    kept: Collection[str] = (),
) -> dict[str, float]:
    """{name: competence} of all policies that can be run; empty where a task has no scale.

    Args:
        policies: {name: policy or Episodes}; those of logs are not measured.
        task: their task; it needs a script, a proxy channel and the split ``iid``.
        track: function (list, description) -> iterable, to show progress.
        cache: of rollouts, or None.
        kept: names of the policies whose rollouts are read from the cache if there.
    """
    agents = {n: policy for n, policy in policies.items() if not isinstance(policy, Episodes)}
    script = _best_script(task) if agents else None
    if script is None:
        return {}
    players: dict[str, Policy | Episodes] = {RANDOM: UniformPolicy(task), BEST: script, **agents}
    rollouts = PairedRollouts(task, SPLIT, TASKS[task].competence_levels, 0, players)
    played = rollouts.play_all(players, track, cache, {RANDOM, BEST, *kept})
    returns = {name: _mean_return(episodes) for name, episodes in played.items()}
    scale = CompetenceScale(returns[RANDOM], returns[BEST])
    if not scale.script > scale.random:
        return {}
    return {name: scale.of_return(returns[name]) for name in agents}


def _best_script(task: str) -> ScriptedPolicy | None:
    """The script of the intended goal; None without one, a proxy channel, or held-out levels."""
    if task not in TASKS:
        return None
    env = make_environment(task, 1)
    has_scale = env.scripts and proxy_channels(env.channels) and SPLIT in env.splits
    return ScriptedPolicy(task, env.scripts[0]) if has_scale else None


def _mean_return(episodes: Episodes) -> float:
    """Mean undiscounted return of the monitored channel."""
    assert episodes.proxy_reward is not None  # the environment has a proxy channel
    return float(episodes.proxy_reward.sum(dtype=float)) / episodes.num_episodes


def _with_competence(report: SuspectReport, competence: Competence) -> SuspectReport:
    """A suspect's record with its competence, which the kind of its difference depends on."""
    found = report.difference and with_ability(report.difference, competence.admitted)
    return replace(report, competence=competence, difference=found)


def _judged(task: str, competence: float) -> Competence:
    return Competence(round(competence, 4), admits(task, competence))


def _warning(below: Sequence[str]) -> list[str]:
    """A sentence that names the trusted agents below the bound; empty where there is none."""
    if not below:
        return []
    return [
        f"trusted: {first_names(below)}: too little competence on training-like "
        "levels for the admission rule; undertrained policies widen what counts as honest"
    ]
