"""References to agents, and the policies that they name.

A reference is a run folder or agent file, a folder or glob pattern of many,
``zoo:TASK/NAME`` (a shipped agent; ``trusted-*`` and ``trusted`` name many),
``script:TASK/NAME``, a Stable-Baselines3 zip, an ONNX file, or ``module:function`` (a user-defined
policy, whose code runs). ``proxylab.agents.format`` describes the agent files.
"""

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from proxylab.agents.format import JSON_NAME, WEIGHTS_NAME, read_agent
from proxylab.agents.loading import LearnedPolicy, policy_of
from proxylab.agents.scripted import FunctionPolicy, ScriptedPolicy
from proxylab.agents.zoo import ZooEntry, find_entries, read_entry, zoo_entries
from proxylab.environments.plugins import is_reference, load_own, short_name
from proxylab.errors import AgentError, choices, nearest
from proxylab.tasks import TASKS

if TYPE_CHECKING:
    from proxylab.untrusted.onnx_policy import OnnxPolicy

Agent: TypeAlias = "LearnedPolicy | ScriptedPolicy | FunctionPolicy | OnnxPolicy"
"""A policy that a reference names."""

FORMS = (
    "a run folder, an agent file, zoo:TASK/NAME, script:TASK/NAME, a Stable-Baselines3 zip, an "
    "ONNX file or module:function"
)
_PICKLE = "pickles run code and are not read: ask for an agent, an ONNX file or a log"
FOREIGN = {
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".joblib"), _PICKLE),
}
"""File extension of other formats: advice in messages."""


def load_agent(reference: str | Path, device: str = "cpu") -> Agent:
    """The one agent that a reference names.

    Raises:
        AgentError: it names no agent or several.
    """
    agents = load_agents(reference, device)
    if len(agents) != 1:
        raise AgentError(f"{reference}: these are {len(agents)} agents, name one of them")
    return agents[0]


def load_agents(reference: str | Path, device: str = "cpu") -> list[Agent]:
    """All agents that a reference names, in a fixed order.

    Args:
        reference: see the module docstring.
        device: ``cpu``, ``cuda`` or ``auto``.

    Returns:
        Policies, at least one.

    Raises:
        AgentError: it names no agent, or one that cannot be read.
    """
    text = str(reference)
    if not text:
        raise AgentError(f"an empty name is no agent: an agent is {FORMS}")
    if text.startswith("script:"):
        return [_scripted(*_task_and_name(text))]
    if text.startswith("zoo:"):
        task, pattern = _task_and_name(text)
        return [_shipped(entry, device) for entry in find_entries(task, pattern)]
    if is_reference(text) and not Path(text).exists():
        return [_own(text)]
    if text.endswith(".onnx"):
        return [_onnx(path) for path in _some_paths(text)]
    if text.endswith(".zip"):
        return [_sb3(path, device) for path in _some_paths(text)]
    return [_stored(folder, device) for folder in agent_folders(text)]


def load_stored(reference: str | Path, device: str = "cpu") -> LearnedPolicy:
    """The agent of a reference from a file: no code is imported, no folder is searched.

    Args:
        reference: a run folder, an agent file or ``zoo:TASK/NAME``, without wildcards.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AgentError: another kind of reference, or no such agent.
    """
    check_stored(reference)
    text = str(reference)
    if not text.startswith("zoo:"):
        path = Path(text)
        return _stored(path.parent if path.name in (JSON_NAME, WEIGHTS_NAME) else path, device)
    return _shipped(_entry_named(text), device)


def _entry_named(reference: str) -> ZooEntry:
    """The entry of ``zoo:TASK/NAME`` with a full name."""
    task, name = _task_and_name(reference)
    entries = [entry for entry in find_entries(task, name) if entry.name == name]
    if len(entries) != 1:
        raise AgentError(f"{reference}: this names no single agent of the zoo")
    return entries[0]


def check_stored(reference: str | Path) -> None:
    """``AgentError`` unless :func:`load_stored` accepts the reference."""
    text = str(reference)
    path, zoo = Path(text), text.startswith("zoo:")
    if zoo and not glob.has_magic(text):
        _entry_named(text)
        return
    if not zoo and text and (path / JSON_NAME).is_file():
        return
    if not zoo and path.name in (JSON_NAME, WEIGHTS_NAME) and path.is_file():
        return
    raise AgentError(
        f"{text}: this is no run folder, no agent file and no zoo:TASK/NAME; code and patterns "
        "are not taken here"
    )


def _task_and_name(reference: str) -> tuple[str, str]:
    """TASK and NAME of ``kind:TASK/NAME``; the task must be known."""
    kind, rest = reference.split(":", 1)
    task, _, name = rest.partition("/")
    if not task or not name:
        raise AgentError(f"{reference}: write {kind}:TASK/NAME")
    if task not in TASKS:
        raise AgentError(f"{reference}: unknown task {task!r}: {choices(task, TASKS)}")
    return task, name


def _scripted(task: str, script: str) -> ScriptedPolicy:
    known = TASKS[task].make_env(1).scripts
    if script not in known:
        raise AgentError(f"script:{task}/{script}: no such script: {choices(script, known)}")
    return ScriptedPolicy(task, script)


def _own(reference: str) -> FunctionPolicy:
    function = load_own(reference)
    if not callable(function):
        raise AgentError(f"{reference}: this is no function of observations")
    return FunctionPolicy(short_name(reference), function)


def _onnx(path: Path) -> "OnnxPolicy":
    # it starts a process: only for ONNX files
    from proxylab.untrusted.onnx_policy import OnnxPolicy

    return OnnxPolicy(path)


def _sb3(path: Path, device: str) -> LearnedPolicy:
    # it needs the environments: only for such zips
    from proxylab.agents.import_sb3 import sb3_policy

    return sb3_policy(path, device)


def _some_paths(pattern: str) -> list[Path]:
    """The paths of a pattern; ``AgentError`` where it matches none."""
    paths = _paths(pattern)
    if not paths:
        raise AgentError(f"{pattern}: there is no such file")
    return paths


def _shipped(entry: ZooEntry, device: str) -> LearnedPolicy:
    name = f"zoo:{entry.spec.task}/{entry.name}"
    given = {"name": name, "sha256": entry.sha256, "device": device}
    return policy_of(entry.spec, read_entry(entry), **given, lazy=True)


def _stored(folder: Path, device: str) -> LearnedPolicy:
    spec, weights, digest = read_agent(folder)
    return policy_of(spec, weights, name=str(folder), sha256=digest, device=device)


def agent_folders(path: str | Path) -> list[Path]:
    """Folders of the agents that a path, a parent folder or a glob pattern names: list[Path].

    Raises:
        AgentError: it names no agent.
    """
    folders = [folder for item in _paths(path) for folder in _folders_below(item)]
    if not folders:
        near = _nearest_agent(Path(path))
        hint = f"did you mean {near}?" if near else f"an agent is {FORMS}"
        hint = FOREIGN.get(Path(path).suffix.lower(), hint)
        raise AgentError(f"{path}: there is no agent here; {hint}")
    return list(dict.fromkeys(folders))


def _nearest_agent(path: Path) -> str | None:
    """A reference that resembles a path without agents: of the zoo, or a folder beside it."""
    task, _, name = str(path).rpartition(":")[2].partition("/")
    if task in TASKS and name:
        near = nearest(name, [entry.name for entry in zoo_entries(task)])
        return f"zoo:{task}/{near}" if near else None
    parent = path.parent
    if path.exists() or not parent.is_dir():
        return None
    near = nearest(path.name, [folder.name for folder in parent.iterdir() if folder.is_dir()])
    return str(parent / near) if near else None


def _paths(pattern: str | Path) -> list[Path]:
    """The paths that match a pattern, in natural order; an existing path is taken literally."""
    if not glob.has_magic(str(pattern)) or os.path.lexists(pattern):
        return [Path(pattern)]
    return sorted(map(Path, glob.glob(str(pattern), recursive=True)), key=_natural)


def _folders_below(path: Path) -> list[Path]:
    """The folder itself if it is an agent, else the topmost agents below it."""
    if path.name in (JSON_NAME, WEIGHTS_NAME) and path.is_file():
        return [path.parent]
    if (path / JSON_NAME).is_file() or (path / WEIGHTS_NAME).is_file():
        return [path]
    below = sorted((file.parent for file in path.rglob(JSON_NAME)), key=_natural)
    return [folder for folder in below if not any(p in below for p in folder.parents)]


def _natural(path: Path) -> list[int | str]:
    """Sort key that orders seed-2 before seed-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
