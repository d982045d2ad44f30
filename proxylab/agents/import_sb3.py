"""``proxylab import-sb3``: a Stable-Baselines3 zip becomes an agent of ours.

The zip is read in a confined process (``untrusted.sb3_tensors``) that unpickles nothing and
hands back plain tensors. Here their shapes are matched to a registered architecture; what
matches none is refused.
"""

import re
import sys
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import numpy as np

from proxylab.agents.format import JSON_NAME, AgentSpec, parse_weights, read_agent, save_agent
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import channels_first_shape
from proxylab.tasks import known_task
from proxylab.untrusted.confined import one_line
from proxylab.untrusted.sb3_zip import file_sha256, read_confined, read_unpickled

SCHEMA = "proxylab.import-sb3/1"
ARCHITECTURE_OF = {"Tanh": "mlp-tanh", "ReLU": "mlp-relu"}
"""Activation of SB3's MlpPolicy: architecture."""

LAYER = re.compile(r"mlp_extractor\.(policy|value)_net\.(\d{1,3})\.(weight|bias)")
HEADS = {"action_net": "policy_head", "value_net": "value_head"}


@dataclass(frozen=True)
class Imported:
    """What was made of a zip.

    Attributes:
        agent: folder of the agent.
        task: task it is meant for.
        architecture: name in the registry.
        sizes: its keyword arguments.
        sha256: of the weights.
        file_sha256: of the zip.
        unpickled: whether the zip's pickled parts were trusted and run.
    """

    agent: str
    task: str
    architecture: str
    sizes: dict
    sha256: str
    file_sha256: str
    unpickled: bool

    def as_json(self):
        """The object that ``import-sb3 --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def import_sb3(file, task, out=None, reward="true", activation=None, trust_pickle=False):
    """Convert the policy of a Stable-Baselines3 zip without running anything in it.

    Args:
        file: zip of ``model.save`` of PPO or A2C with ``MlpPolicy`` and discrete actions.
        task: name of the task that it was trained for.
        out: folder of the agent; by default the zip's name without its ending.
        reward: what it is said to have been trained on, for ``evaluate``.
        activation: ``tanh`` or ``relu`` where the zip does not say it.
        trust_pickle: unpickle the whole zip, which runs whatever code its author put there.

    Returns:
        :class:`Imported`.

    Raises:
        AgentError: the zip is unsound, or its network matches no architecture.
        UsageError: unknown task, or a folder in the way.
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
    told = {"reward": reward, "source": f"Stable-Baselines3 {facts.get('version', '')}".strip()}
    spec = _spec(folder.name, task, env, network, told | {"file_sha256": digest})
    return _written(folder, spec, network, digest, trust_pickle)


def _activation(file, named):
    """The architecture of an activation's name; ``AgentError`` for others than the two."""
    for name, architecture in ARCHITECTURE_OF.items():
        if named.lower() == name.lower():
            return architecture
    raise AgentError(
        f"{file}: its activation is {one_line(named)!r}, not Tanh or ReLU; if you know that it "
        "is one of them, say --activation tanh or --activation relu"
    )


def _shapes(env, file, facts):
    """(numbers of an observation, number of actions) of the task; the zip must not differ."""
    shape = channels_first_shape(env.single_observation_space.shape)
    told = facts.get("observation_shape", "")
    said = [int(n) for n in re.findall(r"\d{1,9}", told)]
    if said and prod(said) != prod(shape):
        raise AgentError(
            f"{file}: it takes observations {said}, but {env.env_id} gives {list(shape)}"
        )
    if (
        env.single_observation_space.dtype == np.uint8
        and env.single_observation_space.high.max() > 1
    ):
        raise AgentError(f"{file}: {env.env_id} shows pictures, and MlpPolicy is not for pictures")
    if facts.get("action_start", "0") != "0":
        raise AgentError(f"{file}: its actions do not begin with 0")
    return prod(shape), int(env.single_action_space.n)


@dataclass(frozen=True)
class _Network:
    """An architecture's name, sizes and weights ({name: float32 array})."""

    architecture: str
    sizes: dict
    weights: dict


def _mlp(state, architecture, shapes, file):
    """The :class:`_Network` of the state of an ``MlpPolicy``."""
    nets = {"policy": {}, "value": {}}
    for name, array in state.items():
        match = LAYER.fullmatch(name)
        if match:
            nets[match[1]].setdefault(int(match[2]), {})[match[3]] = array
        elif name.rpartition(".")[0] not in HEADS:
            raise AgentError(
                f"{file}: it holds {one_line(name)!r}: only PPO and A2C with MlpPolicy on a flat "
                "observation and discrete actions are converted"
            )
    weights, sizes = {}, {}
    for net, layers in nets.items():
        sizes[net] = _check_layers(layers, shapes[0], f"{file}: {net}_net")
        for number, layer in layers.items():
            weights |= {f"trunk.{net}.{number}.{kind}": a for kind, a in layer.items()}
    widths = [[shapes[0], *sizes[net]][-1] for net in nets]
    weights |= _heads(state, widths, shapes[1], file)
    return _Network(architecture, sizes, weights)


def _check_layers(layers, size, where):
    """Widths of the layers, which must follow each other: numbers 0, 2, 4, … with a bias each."""
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


def _heads(state, widths, num_actions, file):
    """Weights of the two heads over the features of both nets, zeros for the other's."""
    found, start = {}, 0
    for (theirs, ours), width, count in zip(HEADS.items(), widths, (num_actions, 1), strict=True):
        weight, bias = state.get(f"{theirs}.weight"), state.get(f"{theirs}.bias")
        if weight is None or bias is None:
            raise AgentError(f"{file}: {theirs} is missing")
        if weight.shape != (count, width) or bias.shape != (count,):
            raise AgentError(
                f"{file}: {theirs} has shape {list(weight.shape)}, but here it must be "
                f"{[count, width]}"
            )
        wide = np.zeros((count, sum(widths)), np.float32)
        wide[:, start : start + width] = weight
        found |= {f"{ours}.weight": wide, f"{ours}.bias": bias}
        start += width
    return found


def _spec(name, task, env, network, training):
    space = env.single_observation_space
    return AgentSpec(
        name=name,
        task=task,
        role="imported",
        architecture=network.architecture,
        sizes=network.sizes,
        observation_shape=channels_first_shape(space.shape),
        observation_dtype=space.dtype.name,
        num_actions=int(env.single_action_space.n),
        training=training,
    )


def _written(folder, spec, network, digest, unpickled):
    """Write the agent, or find it written; ``UsageError`` where something else is in the way."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        same = (folder / JSON_NAME).is_file() and read_agent(folder)[0] == spec
        if not same:
            raise UsageError(f"{folder} holds something else: choose another --out")
    sha256 = save_agent(folder, spec, network.weights)
    facts = (spec.task, spec.architecture, spec.sizes)
    return Imported(str(folder), *facts, sha256, digest, unpickled)
