"""``proxylab detect``: run suspects and trusted agents on the same levels, and judge.

Everything that decides is in ``proxylab.detection``, which sees Episodes only; here
agents are loaded and run. Trusted and suspect play the same level seeds with the same
action draws, so that their trajectories are paired. The true reward goes no further
than the rollout.
"""

import functools
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from proxylab.detection import DEFAULT_DETECTOR, SCORES, USUAL, find_score, judge
from proxylab.detection.calibration import divide, fingerprint_of_name
from proxylab.detection.pairing import shared_levels
from proxylab.detection.task_view import TaskView, bare_view
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import as_policies, splits_of, task_of
from proxylab.logs import log_files, read_log, same_sizes
from proxylab.logs.rows import NO_TASK
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import rollout
from proxylab.rollouts.state_ids import dense_states
from proxylab.rollouts.thread_map import thread_map
from proxylab.screening.cache import DetectionCache, is_ours, rollout_facts
from proxylab.screening.detectors import detector_of
from proxylab.seeds import stream_seed
from proxylab.storage.provenance import commit, versions
from proxylab.tasks import TASKS, known_task
from proxylab_envs.levels import Levels

MAX_NUM_ENVS = 256
MAX_EPISODES = 1_000_000


def detect(
    suspects,
    trusted=None,
    task=None,
    split=None,
    episodes=200,
    seed=0,
    detector=DEFAULT_DETECTOR,
    also=(),
    greedy=False,
    alpha=0.05,
    fdr=False,
    correlation=None,
    device="cpu",
    no_cache=False,
    env=None,
    report=None,
    track=lambda jobs, description: jobs,
):
    """Compare suspects with trusted agents, the true reward unseen.

    Args:
        suspects: agent references, policies, or logs, whose levels all then play.
        trusted: the same; by default those shipped for the task. Suspects are left out.
        task: task name; by default the first suspect's.
        split: ``shifted`` where the task has it, else its first; or a split's name.
        episodes: levels, one paired episode on each.
        seed: of levels, action draws and the bootstrap.
        detector: name of the deciding score, ``module:Class`` or ``file.py:Class``.
        also: names of scores to report beside the usual ones; ``all`` stands for every one.
        greedy: let agents take their most probable action, as Polynomaly does.
        alpha: false-alarm rate wanted, in (0, 1).
        fdr: let the q-value over all suspects decide instead of the p-value.
        correlation: least one of proxy and intent vouched for; it never changes a verdict.
        device: ``cpu``, ``cuda`` or ``auto``.
        no_cache: run the trusted agents even where the cache holds what they did.
        env: another environment than the task's (see ``worlds.make_environment``).
        report: path of an HTML file that shows the result, or None.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`~proxylab.detection.records.Detection`.

    Raises:
        UsageError: wrong use; the message says what to do.
    """
    started, (detector, also) = time.perf_counter(), _detectors(detector, also)
    write = _report_writer(report)
    accused, judges, task = _parties(suspects, trusted, task_in_environment(task, env), device)
    rollouts = PairedRollouts(task, split, episodes, seed, judges | accused, greedy, env)
    cache = None if no_cache else DetectionCache()
    runs = dense_states(rollouts.play_all(judges | accused, track, cache, kept=set(judges)))
    view = rollouts.view(runs[name] for name in judges)
    asked = {"detector": detector, "also": also, "alpha": alpha, "cache": cache}
    choices = {"fdr": fdr, "correlation": correlation}
    found = _judged((accused, judges), runs, rollouts.split, view, seed, **asked, **choices)
    found = replace(found, provenance=origin(seed, time.perf_counter() - started))
    if write:
        write(found, runs, view, rollouts.make_env, judges | accused, greedy=greedy, **choices)
    return found


def _judged(parties, runs, split, view, seed, **asked):
    """``judge`` on what was played; the reference policies are chosen by their fingerprints."""
    accused, judges = parties
    return judge(
        *({name: runs[name] for name in side} for side in (accused, judges)),
        task=view,
        reference=divide({name: fingerprint(policy) for name, policy in judges.items()})[0],
        rng=np.random.default_rng(stream_seed(seed, "detection bootstrap")),
        split=split,
        **asked,
    )


def _report_writer(path):
    """Function that writes the report, the path being a good one; None where none is wanted."""
    if path is None:
        return None
    from proxylab.screening.report_data import (  # draws: loaded when called for
        report_path,
        write_report,
    )

    return functools.partial(write_report, report_path(path))


def _detectors(detector, also):
    """(the deciding one: a known name, or an own score; known names to report beside it)."""
    asked = [name for given in also for name in (SCORES if given == "all" else [given])]
    for name in asked:
        find_score(name)
    known = isinstance(detector, str) and detector in SCORES
    return detector if known else detector_of(detector), tuple(dict.fromkeys((*USUAL, *asked)))


def _parties(suspects, trusted, task, device):
    """(suspects, trusted that are none of them, task): {name: policy} twice, and the task."""
    accused = load_policies(suspects, device, task)
    task = common_task(accused, task)
    judges = load_policies([f"zoo:{task}/trusted"] if trusted is None else trusted, device, task)
    common_task(judges, task)
    known = {fingerprint(policy) for policy in accused.values()}
    judges = {n: p for n, p in judges.items() if fingerprint(p) not in known}
    if not judges:
        raise UsageError("no trusted policy other than the suspects themselves")
    return with_same_sizes(accused, judges), with_same_sizes(judges, accused), task


def with_same_sizes(policies, others):
    """``policies`` ({name: policy or Episodes}), logs that lack their sizes given those of all."""
    logs = [p for p in (*policies.values(), *others.values()) if isinstance(p, Episodes)]
    sized = dict(zip(map(id, logs), same_sizes(logs), strict=True))
    return {name: sized.get(id(policy), policy) for name, policy in policies.items()}


def load_policies(given, device="cpu", task=None):
    """{name: policy or Episodes}, an agent given twice only once; log files are read.

    ``task`` is that of logs which do not say theirs.

    Raises:
        UsageError: nobody, or two different ones of one name.
    """
    given = (
        [given] if isinstance(given, str | Episodes) or not hasattr(given, "__iter__") else given
    )
    found = {}
    for item in given:
        for policy in _players_of(item, device, task):
            name = policy.policy if isinstance(policy, Episodes) else policy.name
            if fingerprint(found.setdefault(name, policy)) != fingerprint(policy):
                raise UsageError(f"two different agents are called {name}")
    if not found:
        raise UsageError("name at least one agent")
    return found


def _players_of(item, device, task):
    """The policies or Episodes of one reference, policy, log or log file."""
    if isinstance(item, Episodes):
        return [item]
    files = [] if hasattr(item, "probabilities") else log_files(item)
    if files:
        return [episodes for file in files for episodes in read_log(file, task)]
    return as_policies(item, device)


def fingerprint(policy):
    """Hash that identifies an agent: of its weights, or of the name where a log tells no more."""
    name = policy.policy if isinstance(policy, Episodes) else policy.name
    return getattr(policy, "sha256", "") or fingerprint_of_name(name)


def common_task(policies, task=None):
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
    if not all(isinstance(policy, Episodes) for policy in policies.values()):
        known_task(task)
    return task


class PairedRollouts:
    """The levels on which everybody plays.

    Attributes:
        task: task name.
        split: where the levels come from; None for those of a log.
        level_seeds: int64[E].
    """

    def __init__(self, task, split, episodes, seed, policies, greedy=False, world=None):
        """Draw the levels, or take those of the logs among ``policies`` ({name: policy})."""
        if not 1 <= episodes <= MAX_EPISODES:
            raise UsageError(f"episodes {episodes} is not between 1 and {MAX_EPISODES}")
        self.task = task
        self.seed = stream_seed(seed, "detection actions")
        self.greedy = greedy
        logs = [policy for policy in policies.values() if isinstance(policy, Episodes)]
        self.level_seeds = _levels_of(logs)
        self.split = None if logs else default_split(task, split)
        num_envs = min(len(self.level_seeds) if logs else episodes, MAX_NUM_ENVS)
        self.world = world
        self.make_env = functools.partial(make_environment, task, env=world)
        if len(logs) == len(policies) and (task not in TASKS):
            self.env = None  # logs of somebody's own task: nothing has to be played
            return
        self.env = self.make_env(max(num_envs, 1))
        if not logs:
            stream = stream_seed(seed, f"detection levels {self.split}")
            self.level_seeds = self.env.sample_level_seeds(Levels(self.split), episodes, stream)  # ty: ignore[invalid-argument-type]

    def play_all(self, policies, track, cache=None, kept=()):
        """{name: Episodes} of all policies; the ones in ``kept`` come from ``cache`` if there."""

        def play(name, env):
            policy = policies[name]
            facts = rollout_facts(policy, env, self.level_seeds, self.seed, self.greedy)
            if cache is None or facts is None or name not in kept:
                return self.play(policy, env)
            return cache.episodes(facts, name, lambda: self.play(policy, env))

        if self.env is None:
            return dict(policies)
        with one_torch_thread() as threads:
            threads = min(threads, len(policies)) if is_ours(self.env) and not self.world else 1
            more = [self.make_env(self.env.num_envs) for _ in range(threads - 1)]
            return thread_map(play, list(policies), [self.env, *more], track, "running")

    def view(self, trusted):
        """:class:`TaskView` of the levels that all of ``trusted`` (Episodes, at least one) played.

        Bare where logs come from an environment of another size.
        """
        trusted = list(trusted)
        levels, env, first = shared_levels(trusted)[0], self.env, trusted[0]
        if env is None:
            return bare_view(first)
        num_actions = int(env.single_action_space.n)
        if (first.num_states, first.num_actions) != (env.num_states, num_actions):
            return bare_view(first)
        return TaskView(
            task=self.task,
            num_states=env.num_states,
            num_actions=num_actions,
            landmarks=tuple(env.landmarks),
            levels=levels,
            landmark_distances=env.landmark_distances(levels) if env.landmarks else None,
            successors=env.successors(levels),
        )

    def play(self, policy, env):
        """Episodes of a policy in ``env``; the true outcomes are dropped here."""
        if isinstance(policy, Episodes):
            return policy
        if not len(self.level_seeds):
            raise UsageError("the log has no episodes, so there is no level to run agents on")
        how = {"task": self.task, "seed": self.seed, "greedy": self.greedy}
        return rollout(policy, env, self.level_seeds, **how)[0]


def _levels_of(logs):
    """int64: the levels of the first log, then those that only later ones have."""
    levels = np.empty(0, np.int64)
    for log in logs:
        levels = np.concatenate([levels, log.level_seed[~np.isin(log.level_seed, levels)]])
    return levels


def default_split(task, split=None):
    """The split asked for, checked; by default ``shifted`` where the task has it."""
    if split in (None, "all"):
        known = splits_of(task, "all")
        return "shifted" if "shifted" in known else known[0]
    return splits_of(task, split)[0]


@contextmanager
def one_torch_thread():
    """Run each network on one thread: batches of 256 rows are too small to share.

    Yields the number of threads there were, 1 where torch is not loaded.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield 1
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def origin(seed, seconds):
    """Where a result comes from: commit (None outside a checkout), versions, seed, seconds."""
    return {
        "commit": commit()[0],
        "versions": versions(),
        "seed": seed,
        "seconds": round(seconds, 3),
    }
