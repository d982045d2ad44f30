"""``proxylab train-trusted``: many agents of one environment, by plain Stable-Baselines3.

Seed 7 becomes ``seed-007.zip``, which ``model.save`` wrote, and ``seed-007.json`` with its facts. A
zip appears whole or not at all, and the facts come last, so an interrupted population
continues where it was. Agents below the admission rule go to the folder ``rejected``.
"""

import functools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from proxylab.console.output import Track, no_progress
from proxylab.environments.gym_adapter import made, short_env_name
from proxylab.environments.gymnasium_ids import env_factory
from proxylab.errors import UsageError
from proxylab.storage.provenance import provenance_of
from proxylab.storage.store import read_json, results_folder, write_json
from proxylab.storage.whole_files import whole_file
from proxylab.training.hyperparameters import ALGORITHMS, parsed
from proxylab.training.jobs import results_of

SCHEMA = "proxylab.train-trusted/1"
MEMBER_SCHEMA = "proxylab.trusted-agent/1"
REJECTED = "rejected"
NATURE_SIDE = 36
"""Smallest side of an image that SB3's CnnPolicy can take."""
EVALUATED_AT_ONCE = 8
"""Environments of an evaluation."""
EVALUATION_SEED = 1 << 20
"""Of the evaluation's environments: training uses the agent's seed and those after it."""


@dataclass(frozen=True)
class Member:
    """One agent to train: all that its weights depend on, besides versions and machine.

    Attributes:
        env: Gymnasium id or ``module:factory``.
        algorithm: ``ppo``, ``a2c`` or ``dqn``.
        policy: ``MlpPolicy`` or ``CnnPolicy``.
        seed: of weights, environments and actions.
        timesteps: environment steps.
        num_envs: environments stepped in turn.
        hyperparameters: arguments of the algorithm that differ from SB3's defaults.
        episodes: of the evaluation after training.
    """

    env: str
    algorithm: str
    policy: str
    seed: int
    timesteps: int
    num_envs: int
    hyperparameters: dict[str, Any]
    episodes: int


@dataclass(frozen=True)
class TrustedPopulation:
    """The result of ``train-trusted``.

    Attributes:
        folder: of the zips.
        env: environment.
        algorithm: of training.
        policy: SB3's policy.
        rule: of admission, in words.
        admitted: seeds.
        rejected: seeds.
        mean_returns: of all agents, by seed.
        cpu_minutes: processor time of training and evaluation, summed over agents.
        trained: number of agents trained now; the others were there.
    """

    folder: str
    env: str
    algorithm: str
    policy: str
    rule: str
    admitted: list[int]
    rejected: list[int]
    mean_returns: dict[int, float]
    cpu_minutes: float
    trained: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``train-trusted --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def train_trusted(
    env: str,
    algorithm: str = "ppo",
    seeds: int = 30,
    timesteps: int = 100_000,
    *,
    first_seed: int = 0,
    policy: str = "auto",
    hyperparameters: Sequence[str] | Mapping[str, Any] = (),
    num_envs: int = 1,
    min_return: float | None = None,
    episodes: int = 100,
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = "local",
    track: Track = no_progress,
) -> TrustedPopulation:
    """Train agents that differ in the seed only, and keep those of the admission rule.

    Args:
        env: Gymnasium id, or ``module:factory``.
        algorithm: ``ppo``, ``a2c`` or ``dqn``.
        seeds: number of agents.
        timesteps: environment steps of each.
        first_seed: seed of the first agent; the others follow.
        policy: ``MlpPolicy``, ``CnnPolicy``, or ``auto`` by the observation.
        hyperparameters: ``name=value`` texts, or {name: value}; see ``training.hyperparameters``.
        num_envs: environments stepped in turn by each agent.
        min_return: smallest mean return of an admitted agent; None admits all.
        episodes: of the evaluation that measures it.
        out: folder, by default ``results/trusted/<env>/<algorithm>``.
        jobs: processes; by default one per processor.
        engine: ``local`` or ``ray``.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`TrustedPopulation`.

    Raises:
        UsageError: an unknown environment or hyperparameter, or a folder of another population.
    """
    if algorithm not in ALGORITHMS:
        raise UsageError(f"unknown algorithm {algorithm!r}: choose {', '.join(ALGORITHMS)}")
    chosen = _policy_of(env, policy)
    options = parsed(algorithm, hyperparameters)
    name = short_env_name(env).replace("/", "-").replace(":", "-")
    folder = Path(out) if out is not None else results_folder() / "trusted" / name / algorithm
    members = [
        Member(env, algorithm, chosen, seed, timesteps, num_envs, options, episodes)
        for seed in range(first_seed, first_seed + seeds)
    ]
    missing = [member for member in members if _facts(folder, member) is None]
    _train_all(missing, folder, jobs, engine, track)
    return _population(folder, members, min_return, len(missing))


def _population(
    folder: Path, members: Sequence[Member], min_return: float | None, trained: int
) -> TrustedPopulation:
    """Apply the admission rule to agents that are all there."""
    facts = {member.seed: _facts(folder, member) or {} for member in members}
    returns = {seed: float(record["mean_return"]) for seed, record in facts.items()}
    admitted = [s for s, value in returns.items() if min_return is None or value >= min_return]
    for seed in returns:
        _place(folder, seed, seed in admitted)
    return TrustedPopulation(
        folder=str(folder),
        env=members[0].env,
        algorithm=members[0].algorithm,
        policy=members[0].policy,
        rule="all" if min_return is None else f"mean return of at least {min_return:g}",
        admitted=admitted,
        rejected=[seed for seed in returns if seed not in admitted],
        mean_returns=returns,
        cpu_minutes=round(sum(float(f["cpu_seconds"]) for f in facts.values()) / 60, 2),
        trained=trained,
    )


def _policy_of(env: str, policy: str) -> str:
    """The policy's name: ``CnnPolicy`` for images that it can take; the environment is checked."""
    one = made(short_env_name(env), env_factory(env))
    space = one.observation_space
    one.close()
    if not isinstance(one.action_space, gym.spaces.Discrete):
        raise UsageError(f"{env} has the action space {one.action_space}: detect knows Discrete")
    if policy != "auto":
        return policy
    from stable_baselines3.common.preprocessing import is_image_space  # SB3 takes seconds to load

    large = is_image_space(space) and min(sorted(space.shape or (0,))[1:]) >= NATURE_SIDE
    return "CnnPolicy" if large else "MlpPolicy"


def _train_all(
    members: Sequence[Member], folder: Path, processes: int | None, engine: str, track: Track
) -> None:
    """Train every member, several in parallel; the first error is raised after all have ended."""
    if not members:
        return
    call = functools.partial(train_member, folder=folder.resolve())
    title = f"{members[0].env}: training"
    if processes == 1 and engine == "local":
        for member in track(members, title):
            call(member)
        return
    results_of(call, members, track=track, title=title, engine=engine, processes=processes)


def train_member(member: Member, folder: Path) -> None:
    """Train, evaluate and write one agent; nothing where it is there."""
    if _facts(folder, member) is not None:
        return
    # SB3 and torch take seconds to load
    import torch
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)
    started, used = time.perf_counter(), time.process_time()
    model = _model(member)
    model.learn(member.timesteps)
    trained = time.perf_counter() - started
    judge = _vec_env(member, min(EVALUATED_AT_ONCE, member.episodes))
    judge.seed(EVALUATION_SEED)
    greedy = member.algorithm == "dqn"
    mean, _ = evaluate_policy(model, judge, member.episodes, deterministic=greedy, warn=False)
    with whole_file(_zip(folder, member.seed)) as temporary, open(temporary, "wb") as file:
        model.save(file)
    facts = {
        "schema": MEMBER_SCHEMA,
        **asdict(member),
        "mean_return": float(np.asarray(mean)),
        "seconds": round(time.perf_counter() - started, 2),
        "seconds_of_training": round(trained, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
        "provenance": provenance_of(member.seed, trained),
    }
    write_json(_record(folder, member.seed), facts)


def _model(member: Member) -> Any:
    """SB3's algorithm, untrained."""
    import stable_baselines3  # SB3 and torch take seconds to load

    algorithm = getattr(stable_baselines3, member.algorithm.upper())
    env = _vec_env(member, member.num_envs)
    options = dict(member.hyperparameters)
    widths = options.pop("net_arch", None)
    if widths is not None:
        options["policy_kwargs"] = {"net_arch": widths}
    return algorithm(member.policy, env, seed=member.seed, device="cpu", **options)


def _vec_env(member: Member, count: int) -> Any:
    """SB3's vector of ``count`` monitored environments."""
    # SB3 takes seconds to load
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    factory = env_factory(member.env)
    return DummyVecEnv([lambda: Monitor(factory())] * count)


def _zip(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed:03d}.zip"


def _record(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed:03d}.json"


def _facts(folder: Path, member: Member) -> dict[str, Any] | None:
    """The facts of an agent that is there; None where it is not.

    Raises:
        UsageError: the folder holds an agent of this seed with other settings.
    """
    path = _record(folder, member.seed)
    zips = _zip(folder, member.seed), _zip(folder / REJECTED, member.seed)
    if not path.is_file() or not any(zip_.is_file() for zip_ in zips):
        return None
    record = read_json(path)
    for name, value in asdict(member).items():
        if record.get(name) != value:
            raise UsageError(
                f"{path}: it was trained with {name} {record.get(name)!r}, not {value!r}: "
                "choose another --out"
            )
    return record


def _place(folder: Path, seed: int, admitted: bool) -> None:
    """Move a zip to the folder of its kind."""
    kept, rejected = _zip(folder, seed), _zip(folder / REJECTED, seed)
    source, target = (rejected, kept) if admitted else (kept, rejected)
    if source.is_file():
        target.parent.mkdir(exist_ok=True)
        os.replace(source, target)
