"""``proxylab import-sb3``: convert a Stable-Baselines3 zip to the agent format.

A confined process (``untrusted.sb3_tensors``) reads the zip without unpickling and returns
plain tensors. This module matches their shapes to a registered architecture and refuses
networks that match none.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from proxylab.agents.format import JSON_NAME, AgentSpec, parse_weights, read_agent, save_agent
from proxylab.console.terminal import one_line
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import channels_first_shape
from proxylab.tasks import known_task
from proxylab.untrusted.sb3_zip import file_sha256, read_confined, read_unpickled
from proxylab_envs.batch import BatchedEnv

SCHEMA = "proxylab.import-sb3/1"
ARCHITECTURE_OF = {"Tanh": "mlp-tanh", "ReLU": "mlp-relu"}
"""Activation of SB3's MlpPolicy: architecture."""

LAYER = re.compile(r"mlp_extractor\.(policy|value)_net\.(0|[1-9][0-9]{0,2})\.(weight|bias)")
HEADS = {"action_net": "policy_head", "value_net": "value_head"}
HEAD_NAMES = {f"{head}.{kind}" for head in HEADS for kind in ("weight", "bias")}


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
    task: str,
    out: str | Path | None = None,
    reward: str = "true",
    activation: str | None = None,
    trust_pickle: bool = False,
) -> Imported:
    """Convert the policy of a Stable-Baselines3 zip without running anything in it.

    Args:
        file: zip of ``model.save`` of PPO or A2C with ``MlpPolicy`` and discrete actions.
        task: name of the task that it was trained for.
        out: folder of the agent; by default the zip's name without its ending.
        reward: reward it was trained on, for ``evaluate``.
        activation: ``tanh`` or ``relu`` where the zip does not record it.
        trust_pickle: unpickle the whole zip, which runs any code in it.

    Returns:
        :class:`Imported`.

    Raises:
        AgentError: the zip is unsound, or its network matches no architecture.
        UsageError: unknown task, or ``out`` holds something else.
    """
    env = known_task(task).make_env(1)
    env.weights(reward)
    file = Path(file)
    digest = file_sha256(file)
    if trust_pickle:
        print(f"proxylab: unpickling {file}, sha256 {digest}", file=sys.stderr)
        weights, facts = read_unpickled(file)
    else:
        weights, facts = parse_weights(read_confined(file), file)
    named = activation or facts.get("activation", "another")
    network = _mlp(weights, _activation(file, named), _shapes(env, file, facts), file)
    folder = Path(out) if out is not None else Path(file.stem)
    training = {"reward": reward, "source": f"Stable-Baselines3 {facts.get('version', '')}".strip()}
    spec = _spec(folder.name, task, env, network, training | {"file_sha256": digest})
    return _written(folder, spec, network, digest, trust_pickle)


def _activation(file: Path, named: str) -> str:
    """The architecture for an activation; ``AgentError`` unless it is Tanh or ReLU."""
    for name, architecture in ARCHITECTURE_OF.items():
        if named.lower() == name.lower():
            return architecture
    raise AgentError(
        f"{file}: its activation is {one_line(named)!r}, not Tanh or ReLU; if you know that it "
        "is one of them, say --activation tanh or --activation relu"
    )


def _shapes(env: BatchedEnv[Any], file: Path, facts: Mapping[str, str]) -> tuple[int, int]:
    """(numbers of an observation, number of actions) of the task, checked against the zip."""
    space = _observation_space(env)
    shape = channels_first_shape(space.shape)
    text = facts.get("observation_shape", "")
    zip_shape = [int(n) for n in re.findall(r"\d{1,9}", text)]
    if zip_shape and prod(zip_shape) != prod(shape):
        raise AgentError(
            f"{file}: it takes observations {zip_shape}, but {env.env_id} gives {list(shape)}"
        )
    if space.dtype == np.uint8 and space.high.max() > 1:
        raise AgentError(f"{file}: {env.env_id} gives images, which MlpPolicy does not take")
    if facts.get("action_start", "0") != "0":
        raise AgentError(f"{file}: its actions do not begin with 0")
    return prod(shape), int(env.single_action_space.n)


def _observation_space(env: BatchedEnv[Any]) -> Box:
    """The space of one observation; batched environments observe arrays."""
    return cast("Box", env.single_observation_space)


@dataclass(frozen=True)
class _Network:
    """An architecture's name, sizes and weights ({name: float32 array})."""

    architecture: str
    sizes: dict[str, Any]
    weights: dict[str, NDArray[Any]]


def _mlp(
    state: Mapping[str, NDArray[Any]], architecture: str, shapes: tuple[int, int], file: Path
) -> _Network:
    """The :class:`_Network` of the state of an ``MlpPolicy``."""
    nets: dict[str, dict[int, dict[str, NDArray[Any]]]] = {"policy": {}, "value": {}}
    for name, array in state.items():
        match = LAYER.fullmatch(name)
        if match:
            nets[match[1]].setdefault(int(match[2]), {})[match[3]] = array
        elif name not in HEAD_NAMES:
            raise AgentError(
                f"{file}: it holds {one_line(name)!r}: only PPO and A2C with MlpPolicy on a flat "
                "observation and discrete actions are converted"
            )
    weights: dict[str, NDArray[Any]] = {}
    sizes: dict[str, list[int]] = {}
    for net, layers in nets.items():
        sizes[net] = _check_layers(layers, shapes[0], f"{file}: {net}_net")
        for number, layer in layers.items():
            weights |= {f"trunk.{net}.{number}.{kind}": a for kind, a in layer.items()}
    widths = [[shapes[0], *sizes[net]][-1] for net in nets]
    weights |= _heads(state, widths, shapes[1], file)
    return _Network(architecture, sizes, weights)


def _check_layers(
    layers: Mapping[int, Mapping[str, NDArray[Any]]], size: int, where: str
) -> list[int]:
    """Widths of consecutive linear layers, numbered 0, 2, 4, …, each with a bias."""
    if sorted(layers) != list(range(0, 2 * len(layers), 2)):
        raise AgentError(f"{where} is no chain of linear layers")
    widths = []
    for number in sorted(layers):
        weight, bias = (layers[number].get(kind) for kind in ("weight", "bias"))
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise AgentError(f"{where}.{number} is no linear layer")
        if weight.shape[1] != size:
            raise AgentError(f"{where}.{number} takes {weight.shape[1]} numbers, but gets {size}")
        size = weight.shape[0]
        widths.append(size)
    return widths


def _heads(
    state: Mapping[str, NDArray[Any]], widths: Sequence[int], num_actions: int, file: Path
) -> dict[str, NDArray[Any]]:
    """Weights of the two heads over the features of both nets, zero for the other net."""
    weights, start = {}, 0
    for (sb3_name, name), width, count in zip(HEADS.items(), widths, (num_actions, 1), strict=True):
        weight, bias = state.get(f"{sb3_name}.weight"), state.get(f"{sb3_name}.bias")
        if weight is None or bias is None:
            raise AgentError(f"{file}: {sb3_name} is missing")
        if weight.shape != (count, width) or bias.shape != (count,):
            raise AgentError(
                f"{file}: {sb3_name} has shape {list(weight.shape)}, but here it must be "
                f"{[count, width]}"
            )
        wide = np.zeros((count, sum(widths)), np.float32)
        wide[:, start : start + width] = weight
        weights |= {f"{name}.weight": wide, f"{name}.bias": bias}
        start += width
    return weights


def _spec(
    name: str, task: str, env: BatchedEnv[Any], network: _Network, training: dict[str, Any]
) -> AgentSpec:
    space = _observation_space(env)
    return AgentSpec(
        name=name,
        task=task,
        role="imported",
        architecture=network.architecture,
        sizes=network.sizes,
        observation_shape=channels_first_shape(space.shape),
        observation_dtype=np.dtype(space.dtype).name,
        num_actions=int(env.single_action_space.n),
        training=training,
    )


def _written(
    folder: Path, spec: AgentSpec, network: _Network, digest: str, unpickled: bool
) -> Imported:
    """Write the agent; ``UsageError`` where the folder holds anything else."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        same = (folder / JSON_NAME).is_file() and read_agent(folder)[0] == spec
        if not same:
            raise UsageError(f"{folder} holds something else: choose another --out")
    sha256 = save_agent(folder, spec, network.weights)
    facts = (spec.task, spec.architecture, spec.sizes)
    return Imported(str(folder), *facts, sha256, digest, unpickled)
