"""Paired rollouts: several policies on the same levels with the same action draws."""

import functools
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Self

from proxylab.console.output import Track
from proxylab.detection.pairing import by_level, shared_levels
from proxylab.detection.task_view import TaskView, bare_view
from proxylab.environments.resolve import make_environment
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import splits_of
from proxylab.evaluation.task_view import view_of
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.rollouts.thread_map import one_network_thread, thread_map
from proxylab.screening.cache import DetectionCache, is_ours, rollout_facts
from proxylab.screening.groups import levels_of
from proxylab.screening.settings import DetectSettings
from proxylab.seeds import stream_seed
from proxylab.storage.limits import check_episodes
from proxylab.tasks import TASKS
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

MAX_NUM_ENVS = 256


class PairedRollouts:
    """The levels and action draws that all policies share.

    Attributes:
        task: task name.
        split: split of the levels; None for those of a log.
        level_seeds: int64[E].
    """

    def __init__(
        self,
        task: str,
        split: str | None,
        episodes: int,
        seed: int,
        policies: Mapping[str, Policy | Episodes],
        greedy: bool = False,
        env_spec: str | None = None,
    ) -> None:
        """Draw the levels, or take those of the logs among ``policies`` ({name: policy})."""
        check_episodes(episodes)
        self.task = task
        self.seed = stream_seed(seed, "detection actions")
        self.greedy = greedy
        logs = [policy for policy in policies.values() if isinstance(policy, Episodes)]
        self.level_seeds = levels_of(logs)
        self.split = None if logs else default_split(task, split)
        num_envs = min(len(self.level_seeds) if logs else episodes, MAX_NUM_ENVS)
        self.env_spec = env_spec
        self.make_env = functools.partial(make_environment, task, env=env_spec)
        self.env: BatchedEnv | None = None
        if len(logs) == len(policies) and (task not in TASKS):
            return  # logs of an unregistered task: no policy has to be run
        env = self.env = self.make_env(max(num_envs, 1))
        if self.split is not None:
            stream = stream_seed(seed, f"detection levels {self.split}")
            self.level_seeds = env.sample_level_seeds(Levels(self.split), episodes, stream)

    @classmethod
    def of(
        cls, settings: DetectSettings, task: str, policies: Mapping[str, Policy | Episodes]
    ) -> Self:
        """The paired rollouts that the settings of ``detect`` describe for ``policies``."""
        chosen = (settings.split, settings.episodes, settings.seed)
        return cls(task, *chosen, policies, settings.greedy, settings.env)

    def play_all(
        self,
        policies: Mapping[str, Policy | Episodes],
        track: Track,
        cache: DetectionCache | None = None,
        kept: Collection[str] = (),
    ) -> dict[str, Episodes]:
        """{name: Episodes} of all policies; those in ``kept`` are read from ``cache`` if there."""
        if self.env is None or not policies:
            return {name: log for name, log in policies.items() if isinstance(log, Episodes)}
        stored = {} if cache is None else self._facts(policies, kept)
        known: dict[str, Episodes] = {}
        for name, facts in stored.items():
            recorded = cache.recorded(facts, name) if cache else None
            known |= {} if recorded is None else {name: recorded}
        missing = [name for name in policies if name not in known]

        def play(name: str, env: BatchedEnv) -> Episodes:
            if cache is None or name not in stored:
                return self.play(policies[name], env)
            return cache.episodes(
                stored[name], name, lambda: by_level(self.play(policies[name], env))
            )

        by_torch = any(getattr(policies[name], "uses_torch", False) for name in missing)
        with one_network_thread(by_torch) as threads:
            threads = min(threads, len(missing)) if is_ours(self.env) and not self.env_spec else 1
            more = [self.make_env(self.env.num_envs) for _ in range(threads - 1)]
            new = thread_map(play, missing, [self.env, *more], track, "running")
        played = known | new
        return {name: played[name] for name in policies}

    def _facts(
        self, policies: Mapping[str, Policy | Episodes], kept: Collection[str]
    ) -> dict[str, dict[str, Any]]:
        """{name: what its rollout depends on} of those in ``kept`` of which that is known."""
        assert self.env is not None  # only logs have none
        draws = self.level_seeds, self.seed, self.greedy
        facts = {n: rollout_facts(p, self.env, *draws) for n, p in policies.items() if n in kept}
        return {name: known for name, known in facts.items() if known is not None}

    def view(self, trusted: Iterable[Episodes]) -> TaskView:
        """:class:`TaskView` of the levels shared by ``trusted`` (at least one Episodes).

        It holds no map where logs come from an environment of another size.
        """
        trusted = list(trusted)
        levels, env, first = shared_levels(trusted)[0], self.env, trusted[0]
        if env is None:
            return bare_view(first)
        num_actions = int(env.single_action_space.n)
        if (first.num_states, first.num_actions) != (env.num_states, num_actions):
            return bare_view(first)
        return view_of(env, self.task, levels)

    def play(self, policy: Policy | Episodes, env: BatchedEnv) -> Episodes:
        """Episodes of a policy in ``env``; the true outcomes are discarded here."""
        if isinstance(policy, Episodes):
            return policy
        if not len(self.level_seeds):
            raise UsageError("the log has no episodes, so there is no level to run agents on")
        episodes, _ = rollout(
            policy, env, self.level_seeds, task=self.task, seed=self.seed, greedy=self.greedy
        )
        return episodes


def default_split(task: str, split: str | None = None) -> str:
    """``split`` after a check; by default ``shifted`` where the task has it, else its first."""
    if split in (None, "all"):
        known = splits_of(task, "all")
        return "shifted" if "shifted" in known else known[0]
    return splits_of(task, split)[0]
