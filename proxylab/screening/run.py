"""``proxylab detect``: run suspects and trusted agents on the same levels, and judge.

This module loads and runs agents; ``proxylab.detection`` decides, from Episodes alone.
Trusted agents and suspects play the same level seeds with the same action draws, so that
their trajectories are paired. The true reward is discarded after the rollout.
"""

import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.console.output import Track, no_progress
from proxylab.detection.calibration import in_order, trusted_needed
from proxylab.detection.judge import SuspectGroup, judge_groups
from proxylab.detection.records import Detection
from proxylab.environments.resolve import task_in_environment
from proxylab.logs import same_sizes
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.screening.admission import with_competence
from proxylab.screening.cache import DetectionCache
from proxylab.screening.engines import parallel
from proxylab.screening.groups import PolicyGroup, grouped, judged_groups
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import Agent, common_task, fingerprint, load_policies
from proxylab.screening.settings import DetectSettings
from proxylab.screening.trust import warnings_about
from proxylab.seeds import stream_seed
from proxylab.storage.provenance import provenance_of


def detect(
    suspects: Agent | Iterable[Agent],
    trusted: Agent | Iterable[Agent] | None = None,
    settings: DetectSettings | None = None,
    *,
    report: str | Path | None = None,
    save: str | Path | None = None,
    track: Track = no_progress,
    say: Callable[[str], object] = str,
    **options: Any,
) -> Detection:
    """Compare suspects with trusted agents, without access to the true reward.

    Args:
        suspects: agent references, policies, or logs; all agents then play the levels of a log.
        trusted: the same; by default those shipped for the task. Suspects are left out.
        settings: see :class:`DetectSettings`.
        report: path of an HTML report to write, or None.
        save: path of a record to write, from which ``draw_report`` draws the report later.
        track: function (list, description) -> iterable, to show progress.
        say: function (sentence), called before any agent is run with what ``alpha`` takes.
        options: fields of :class:`DetectSettings` that differ from ``settings``.

    Returns:
        :class:`~proxylab.detection.records.Detection`.

    Raises:
        UsageError: wrong use; the message says what to do.
    """
    started = time.perf_counter()
    settings = replace(settings or DetectSettings(), **options)
    judging, write = settings.judging(), _report_writer(report, save)
    env_task = task_in_environment(settings.task, settings.env)
    suspect_policies, trusted_policies, task = _parties(suspects, trusted, env_task, settings)
    groups = [
        _same_sizes(group) for group in grouped(suspect_policies, trusted_policies, fingerprint)
    ]
    say(_demand(groups, len(suspect_policies), settings))
    rollouts = [PairedRollouts.of(settings, task, group.policies) for group in groups]
    cache = None if settings.no_cache else DetectionCache()
    played = _judged_groups(groups, rollouts, track, cache)
    splits = {paired.split for paired in rollouts}
    detection = judge_groups(
        played,
        judging,
        order=suspect_policies,
        rng=np.random.default_rng(stream_seed(settings.seed, "detection bootstrap")),
        split=splits.pop() if len(splits) == 1 else None,
        cache=cache,
        each=_each(settings),
    )
    if settings.env is None:  # an environment of the user's has no script
        parties = (suspect_policies, trusted_policies)
        detection = with_competence(detection, *parties, track, cache)
    detection = _completed(detection, trusted_policies, settings, started)
    everyone = trusted_policies | suspect_policies
    write(detection, played, rollouts[0].make_env, everyone, settings)
    return detection


def _completed(
    detection: Detection,
    trusted: dict[str, Policy | Episodes],
    settings: DetectSettings,
    started: float,
) -> Detection:
    """A detection with all warnings and its provenance."""
    provenance = provenance_of(settings.seed, time.perf_counter() - started)
    provenance |= {"settings": settings.as_json()}
    warnings = [*detection.warnings, *warnings_about(trusted)]
    return replace(detection, warnings=warnings, provenance=provenance)


def _demand(groups: list[PolicyGroup], num_suspects: int, settings: DetectSettings) -> str:
    """How many trusted agents there are and a FLAG takes."""
    count = min(len(group.trusted) for group in groups)
    needed = trusted_needed(settings.alpha, num_suspects if settings.fdr else 1)
    few = "" if count >= needed else ": too few, no suspect can be flagged"
    return f"{count} trusted agents; a FLAG at alpha {settings.alpha:g} takes {needed}{few}"


def _judged_groups(
    groups: list[PolicyGroup],
    rollouts: list[PairedRollouts],
    track: Track,
    cache: DetectionCache | None,
) -> list[SuspectGroup]:
    """Run every policy once on its levels; the groups as ``judge_groups`` takes them."""
    runs: dict[bytes, dict[int, Episodes]] = {}
    judged: list[SuspectGroup] = []
    for group, paired in zip(groups, rollouts, strict=True):
        done = runs.setdefault(paired.level_seeds.tobytes(), {})
        new = {name: p for name, p in group.policies.items() if id(p) not in done}
        for name, episodes in paired.play_all(new, track, cache, kept=set(group.trusted)).items():
            done[id(new[name])] = episodes
        episodes = {name: done[id(policy)] for name, policy in group.policies.items()}
        judged += judged_groups(group, episodes, paired.view, fingerprint)
    return judged


def _report_writer(report: str | Path | None, save: str | Path | None) -> Callable[..., None]:
    """Function that writes what is asked for of report and record; the paths are checked."""
    if report is None and save is None:
        return lambda *_facts: None
    # draws: loaded when called for
    from proxylab.screening.report_data import report_data
    from proxylab.screening.report_files import record_path, report_path, write_page, write_record

    page = report_path(report) if report else None
    record = record_path(save) if save else None

    def write(*facts: Any) -> None:
        data = report_data(*facts)
        if page:
            write_page(page, data)
        if record:
            write_record(record, data)

    return write


def _each(settings: DetectSettings) -> Callable[..., list[Any]]:
    """How policies and files are worked on: large logs in several processes."""
    if settings.large_logs is None:
        return in_order
    return functools.partial(parallel, engine=settings.engine)


def _parties(
    suspects: Agent | Iterable[Agent],
    trusted: Agent | Iterable[Agent] | None,
    task: str | None,
    settings: DetectSettings,
) -> tuple[dict[str, Policy | Episodes], dict[str, Policy | Episodes], str]:
    """(suspects, trusted, task): {name: policy or Episodes} twice, and the task."""
    reading = (settings.device, task, settings.large_logs, _each(settings))
    suspect_policies = load_policies(suspects, *reading)
    task = common_task(suspect_policies, task)
    trusted = [f"zoo:{task}/trusted"] if trusted is None else trusted
    trusted_policies = load_policies(trusted, settings.device, task, *reading[2:])
    common_task(trusted_policies, task)
    return suspect_policies, trusted_policies, task


def _same_sizes(group: PolicyGroup) -> PolicyGroup:
    """A group whose logs of unknown sizes take the sizes of all its logs."""
    logs = [p for p in group.policies.values() if isinstance(p, Episodes)]
    sized = dict(zip(map(id, logs), same_sizes(logs), strict=True))
    suspects, trusted = (
        {name: sized.get(id(policy), policy) for name, policy in side.items()}
        for side in (group.suspects, group.trusted)
    )
    return PolicyGroup(suspects, trusted)
