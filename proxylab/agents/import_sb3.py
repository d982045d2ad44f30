"""Stable-Baselines3 zips as agents: ``proxylab import-sb3``, and zips named in place of an agent.

A confined process (``untrusted.sb3_tensors``) reads the zip without unpickling and returns
plain tensors. ``sb3_network`` matches them to a registered architecture and refuses networks
that match none. What a zip was converted to is kept in the user's cache under the zip's sha256.
"""

import sys
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from proxylab.agents.format import (
    JSON_NAME,
    AgentSpec,
    parse_weights,
    read_agent,
    save_agent,
)
from proxylab.agents.loading import LearnedPolicy, policy_of
from proxylab.agents.sb3_network import Network, network_of
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import network_input
from proxylab.storage.store import results_folder
from proxylab.storage.user_cache import cache_root, make_room
from proxylab.tasks import known_task
from proxylab.untrusted.sb3_zip import file_sha256, read_confined, read_unpickled
from proxylab_envs.batch import BatchedEnv

SCHEMA = "proxylab.import-sb3/1"
LIMIT_BYTES = 1 << 30
"""Maximal size of the cache of converted zips."""
CACHE = "sb3-1"
"""Folder of converted zips in the user's cache; its number rises when the conversion changes."""


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    Attributes:
        agent: folder of the agent.
        task: task it was trained for.
        architecture: name in the registry.
        sizes: its keyword arguments.
        sha256: of the weights.
        file_sha256: of the zip.
        unpickled: whether the zip was unpickled (``trust_pickle``).
    """

    agent: str
    task: str
    architecture: str
    sizes: dict[str, Any]
    sha256: str
    file_sha256: str
    unpickled: bool

    def as_json(self) -> dict[str, Any]:
        """The object that ``import-sb3 --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def import_sb3(
    file: str | Path,
    task: str | None = None,
    out: str | Path | None = None,
    reward: str = "true",
    activation: str | None = None,
    trust_pickle: bool = False,
    env: str | None = None,
) -> Imported:
    """Convert the policy of a Stable-Baselines3 zip without running anything in it.

    Args:
        file: zip of ``model.save`` of PPO, A2C or DQN with ``MlpPolicy`` or ``CnnPolicy`` and
            discrete actions.
        task: name of the task that it was trained for.
        out: folder of the agent; by default ``results/imported/<name of the zip>``.
        reward: reward it was trained on, for ``evaluate``.
        activation: ``tanh`` or ``relu`` where the zip does not record it.
        trust_pickle: unpickle the whole zip, which runs any code in it.
        env: Gymnasium id or ``module:factory`` in place of a task.

    Returns:
        :class:`Imported`.

    Raises:
        AgentError: the zip is unsound, or its network matches no architecture.
        UsageError: unknown task, or ``out`` holds something else.
    """
    task = task_in_environment(task, env)
    if task is None:
        raise UsageError(f"{file}: say --task or --env: what it was trained for")
    known_task(task)
    batched = make_environment(task, 1, env)
    batched.weights(reward)
    file = Path(file)
    network, training = _read(file, file_sha256(file), activation, trust_pickle)
    _check_fits(network, batched, file)
    folder = Path(out) if out is not None else results_folder() / "imported" / file.stem
    spec = _spec(folder.name, task, network, {"reward": reward, **training})
    return _written(folder, spec, network, trust_pickle)


def sb3_policy(file: str | Path, device: str = "cpu") -> LearnedPolicy:
    """The policy of a zip for any environment whose observations fit; converted once.

    Raises:
        AgentError: the zip is unsound, or its network matches no architecture.
    """
    file = Path(file)
    digest = file_sha256(file)
    folder = cache_folder() / digest
    try:
        spec, weights, sha256 = read_agent(folder)
        if spec.training.get("file_sha256") != digest:
            raise AgentError(f"{folder}: another zip's")
    except AgentError:  # not there yet, or damaged
        network, training = _read(file, digest, None, False)
        spec, weights = _spec(file.stem, "", network, training), network.weights
        sha256 = save_agent(folder, spec, weights)
        make_room(folder.parent, LIMIT_BYTES)
    return policy_of(spec, weights, name=str(file), sha256=sha256, device=device)


def cache_folder() -> Path:
    """Folder of converted zips, in the user's cache."""
    return cache_root() / CACHE


def _read(
    file: Path, digest: str, activation: str | None, trust_pickle: bool
) -> tuple[Network, dict[str, Any]]:
    """(network, facts for the agent's ``training``) of a zip that still has its sha256."""
    if trust_pickle:
        print(f"proxylab: unpickling {file}, sha256 {digest}", file=sys.stderr)
        weights, facts = read_unpickled(file)
    else:
        weights, facts = parse_weights(read_confined(file), file)
    if file_sha256(file) != digest:
        raise AgentError(f"{file}: it changed while it was read")
    source = f"Stable-Baselines3 {facts.get('version', '')}".strip()
    network = network_of(weights, facts, file, activation)
    return network, {"source": source, "file_sha256": digest}


def _check_fits(network: Network, env: BatchedEnv[Any], file: Path) -> None:
    """``AgentError`` unless the network takes the observations and actions of ``env``."""
    observed = network_input(env.observe()[:1], env.single_observation_space).shape[1:]
    if prod(observed) != prod(network.observation_shape):
        raise AgentError(
            f"{file}: it takes observations {list(network.observation_shape)}, but {env.env_id} "
            f"gives {list(observed)}"
        )
    actions = int(env.single_action_space.n)
    if actions != network.num_actions:
        raise AgentError(
            f"{file}: it has {network.num_actions} actions, but {env.env_id} takes {actions}"
        )


def _spec(name: str, task: str, network: Network, training: dict[str, Any]) -> AgentSpec:
    return AgentSpec(
        name=name,
        task=task,
        role="imported",
        architecture=network.architecture,
        sizes=network.sizes,
        observation_shape=network.observation_shape,
        observation_dtype=network.observation_dtype,
        num_actions=network.num_actions,
        training=training,
    )


def _written(folder: Path, spec: AgentSpec, network: Network, unpickled: bool) -> Imported:
    """Write the agent; ``UsageError`` where the folder holds anything else."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        same = (folder / JSON_NAME).is_file() and read_agent(folder)[0] == spec
        if not same:
            raise UsageError(f"{folder} holds something else: choose another --out")
    sha256 = save_agent(folder, spec, network.weights)
    facts = (spec.task, spec.architecture, spec.sizes)
    digest = str(spec.training["file_sha256"])
    return Imported(str(folder), *facts, sha256, digest, unpickled)
