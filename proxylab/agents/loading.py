"""Agents: from a reference to a policy.

A reference is a run folder or agent file, a folder or pattern that holds many of them,
``zoo:TASK/NAME`` (a shipped agent; ``trusted-*`` and ``trusted`` name many) or
``script:TASK/NAME``, an ONNX file, or ``module:function`` (a policy of somebody's own, whose
code runs).
What a file may hold is in ``agent_files``.
"""

import glob
import hashlib
import re
from pathlib import Path

import numpy as np

from proxylab.agents.format import (
    JSON_NAME,
    WEIGHTS_NAME,
    AgentSpec,
    read_agent,
    save_agent,
)
from proxylab.agents.zoo import find_entries, read_entry
from proxylab.environments.plugins import is_reference, load_own, short_name
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import channels_first
from proxylab.tasks import TASKS

__all__ = [
    "AgentSpec",
    "FunctionPolicy",
    "LearnedPolicy",
    "ScriptedPolicy",
    "load_agent",
    "load_agents",
    "save_agent",
]

BLOCK_ROWS = 64
"""Rows in a call of a network are padded to a multiple of this, so that shapes are few."""

CALL_ROWS = 256
"""Most rows in a call. With these sizes the results of the networks measured do not depend
on the batch, to the last bit."""

FORMS = (
    "a run folder, an agent file, zoo:TASK/NAME, script:TASK/NAME, an ONNX file or module:function"
)
_PICKLE = "pickles run code and are not read: ask for an agent, an ONNX file or a log"
FOREIGN = {
    ".zip": "of Stable-Baselines3's, `proxylab import-sb3 FILE --task TASK` makes one",
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".joblib"), _PICKLE),
}
"""Ending of a file that is no agent of ours: what to do."""


class ScriptedPolicy:
    """A policy that its environment knows by name, such as ``optimal``."""

    role = "script"

    def __init__(self, task, script):
        """Name a script of a task; the environment plays it."""
        self.task = task
        self.script = script
        self.name = f"script:{task}/{script}"
        self.sha256 = hashlib.sha256(self.name.encode()).hexdigest()

    def probabilities(self, env, indices):
        """float32[K, num_actions] in the environments ``indices``."""
        return env.script_actions(self.script, indices)


class FunctionPolicy:
    """A policy of somebody's own: a function of observations, for any task.

    Attributes:
        name: ``module:function``.
        task: None; it plays wherever it is put.
        role: ``own``.
        trained_reward: what the function says it was trained on, by default ``true``.
    """

    task, role = None, "own"

    def __init__(self, name, function):
        """Adopt ``function``: observations [K, ...] -> float[K, num_actions] or int[K] actions."""
        self.name = name
        self.function = function
        self.trained_reward = str(getattr(function, "trained_reward", "true"))

    def probabilities(self, env, indices):
        """float32[K, num_actions] in the environments ``indices``."""
        found = np.asarray(self.function(env.observe()[indices].copy()))
        if found.shape != (len(indices),) or found.dtype.kind not in "iu":
            return found.astype(np.float32)
        num_actions = int(env.single_action_space.n)
        if ((found < 0) | (found >= num_actions)).any():
            raise AgentError(f"{self.name} gave an action that is not in [0, {num_actions})")
        return np.eye(num_actions, dtype=np.float32)[found]


class LearnedPolicy:
    """A network's policy.

    Attributes:
        name: reference or name of the agent, for tables.
        task: task it was trained for.
        role: its role there.
        sha256: of its weights.
        spec: :class:`AgentSpec`.
        network: ``torch.nn.Module``, in evaluation mode and without gradients.
        device: torch device.
    """

    def __init__(self, spec, network, *, name=None, sha256="", device="cpu"):
        """Adopt a network that fits ``spec``."""
        self.spec = spec
        self.name = name or spec.name
        self.task = spec.task
        self.role = spec.role
        self.sha256 = sha256
        self.device = device
        self.network = network.to(device).eval().requires_grad_(False)

    def probabilities(self, env, indices):
        """float32[K, num_actions] in the environments ``indices``."""
        return self.action_probabilities(self._observations(env, indices))

    def probabilities_and_values(self, env, indices):
        """(float32[K, num_actions], float32[K]) in the environments ``indices``.

        The values are the value head's estimates, in units of the training reward, which
        the task may scale.
        """
        return self._outputs(self._observations(env, indices))

    def action_probabilities(self, observations):
        """float32[K, num_actions] for observations [K, ...]."""
        return self._outputs(observations)[0]

    def _observations(self, env, indices):
        observations = channels_first(env.observe()[indices])
        if observations.shape[1:] != self.spec.observation_shape:
            raise AgentError(
                f"{self.name} expects observations {self.spec.observation_shape}, "
                f"{env.env_id} gives {observations.shape[1:]}: it was trained for another setting"
            )
        return observations

    def _outputs(self, observations):
        """(probabilities float32[K, num_actions], values float32[K]); padded to whole blocks."""
        import torch  # torch takes a second to load

        count = len(observations)
        rows = -(-count // BLOCK_ROWS) * BLOCK_ROWS
        padded = np.empty((rows, *observations.shape[1:]), observations.dtype)
        padded[:count] = observations
        padded[count:] = observations[:1]  # a planner takes ten times as long on all zeros
        with torch.inference_mode():
            blocks = torch.from_numpy(padded).to(self.device).split(CALL_ROWS)
            results = [self.network(block) for block in blocks]
            probabilities = torch.cat([torch.softmax(logits, dim=-1) for logits, _ in results])
            values = torch.cat([value for _, value in results])
            return probabilities[:count].cpu().numpy(), values[:count].cpu().numpy()


def load_agent(reference, device="cpu"):
    """The one agent that a reference names.

    Raises:
        AgentError: there is none, or there are several.
    """
    agents = load_agents(reference, device)
    if len(agents) != 1:
        raise AgentError(f"{reference}: these are {len(agents)} agents, name one of them")
    return agents[0]


def load_agents(reference, device="cpu"):
    """All agents that a reference names, in a fixed order.

    Args:
        reference: see the module; str or path.
        device: ``cpu``, ``cuda`` or ``auto``.

    Returns:
        list of policies, at least one.

    Raises:
        AgentError: there is none, or one of them cannot be read.
    """
    text = str(reference)
    if text.startswith("script:"):
        return [_scripted(*_task_and_name(text))]
    if text.startswith("zoo:"):
        task, pattern = _task_and_name(text)
        return [_shipped(entry, device) for entry in find_entries(task, pattern)]
    if is_reference(text) and not Path(text).exists():
        return [_own(text)]
    if text.endswith(".onnx"):
        return [_onnx(path) for path in _paths(text)]
    return [_stored(folder, device) for folder in agent_folders(text)]


def _task_and_name(reference):
    """The two parts of ``kind:TASK/NAME``, the task a known one."""
    kind, rest = reference.split(":", 1)
    task, _, name = rest.partition("/")
    if not task or not name:
        raise AgentError(f"{reference}: write {kind}:TASK/NAME")
    if task not in TASKS:
        raise AgentError(f"{reference}: unknown task {task!r}: choose {', '.join(TASKS)}")
    return task, name


def _scripted(task, script):
    known = TASKS[task].make_env(1).scripts
    if script not in known:
        raise AgentError(f"script:{task}/{script}: no such script: choose {', '.join(known)}")
    return ScriptedPolicy(task, script)


def _own(reference):
    function = load_own(reference)
    if not callable(function):
        raise AgentError(f"{reference}: this is no function of observations")
    return FunctionPolicy(short_name(reference), function)


def _onnx(path):
    from proxylab.untrusted.onnx_policy import (
        OnnxPolicy,  # numpy and a process: only for ONNX files
    )

    return OnnxPolicy(path)


def _shipped(entry, device):
    name = f"zoo:{entry.spec.task}/{entry.name}"
    return policy_of(entry.spec, read_entry(entry), name=name, sha256=entry.sha256, device=device)


def _stored(folder, device):
    spec, weights, digest = read_agent(folder)
    return policy_of(spec, weights, name=str(folder), sha256=digest, device=device)


def agent_folders(path):
    """Folders of the agents that a path, a folder above them or a pattern names: list[Path].

    Raises:
        AgentError: there is none.
    """
    found = [folder for item in _paths(path) for folder in _folders_below(item)]
    if not found:
        hint = FOREIGN.get(Path(path).suffix.lower(), f"an agent is {FORMS}")
        raise AgentError(f"{path}: there is no agent here; {hint}")
    return list(dict.fromkeys(found))


def _paths(pattern):
    """The paths that a pattern names, in natural order; a path without wildcards as it is."""
    if not glob.has_magic(str(pattern)):
        return [Path(pattern)]
    return sorted(map(Path, glob.glob(str(pattern), recursive=True)), key=_natural)


def _folders_below(path):
    """The folder itself when it is an agent, else the topmost agents below it."""
    if path.name in (JSON_NAME, WEIGHTS_NAME) and path.is_file():
        return [path.parent]
    if (path / JSON_NAME).is_file() or (path / WEIGHTS_NAME).is_file():
        return [path]
    below = sorted((file.parent for file in path.rglob(JSON_NAME)), key=_natural)
    return [folder for folder in below if not any(p in below for p in folder.parents)]


def _natural(path):
    """Sort key that puts seed-2 before seed-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def policy_of(spec, weights, *, name=None, sha256="", device="cpu"):
    """Build the network of an agent and fill in its weights.

    Args:
        spec: :class:`AgentSpec`.
        weights: {name: float32 array}.
        name: shown in tables.
        sha256: of the weights.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AgentError: unknown architecture, or weights that do not fit it.
    """
    import torch  # torch takes a second to load

    with torch.device("meta"):  # no memory is taken before the weights are known to fit
        shapes = _network(spec, name or spec.name).state_dict()
    expected = {key: tuple(tensor.shape) for key, tensor in shapes.items()}
    _check_shapes(expected, {key: array.shape for key, array in weights.items()}, name or spec.name)
    network = _network(spec, name or spec.name)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return LearnedPolicy(spec, network, name=name, sha256=sha256, device=torch_device(device))


def _network(spec, name):
    """A network with arbitrary weights, from the closed registry."""
    from proxylab.networks.architectures import ARCHITECTURES, build_network  # imports torch

    if spec.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise AgentError(f"{name}: unknown architecture {spec.architecture!r}: known are {known}")
    shape, actions = spec.observation_shape, spec.num_actions
    try:
        return build_network(spec.architecture, shape, actions, **spec.sizes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AgentError(f"{name}: {spec.architecture} cannot have these sizes ({error})") from None


def _check_shapes(expected, found, name):
    for key in expected.keys() | found.keys():
        if key not in found:
            raise AgentError(f"{name}: the weights lack {key}")
        if key not in expected:
            raise AgentError(
                f"{name}: the weights hold {key}, which the architecture does not have"
            )
        if expected[key] != found[key]:
            raise AgentError(f"{name}: {key} has shape {found[key]}, not {expected[key]}")


def torch_device(device):
    """A torch device from ``auto``, ``cpu`` or ``cuda``; ``UsageError`` when there is none."""
    import torch  # torch takes a second to load

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if str(device).startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("no CUDA device here: use --device cpu")
    return device
