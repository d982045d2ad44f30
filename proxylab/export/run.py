"""``proxylab export``: write an agent as a Stable-Baselines3 zip or as an ONNX file."""

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxylab.agents.format import JSON_NAME, WEIGHTS_NAME
from proxylab.agents.loading import LearnedPolicy
from proxylab.agents.references import load_stored
from proxylab.errors import AgentError, UsageError
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.export/1"
ENDINGS = {"sb3": ".zip", "onnx": ".onnx"}
"""Format: ending of its files."""

READS = {
    "sb3": "stable_baselines3.PPO.load opens it",
    "onnx": "its input is the observation, its output the logits of the actions",
}
PLAIN = "an MlpPolicy, which proxylab import-sb3 takes back"
TRUNK = (
    "with proxylab installed, which holds the network's code; "
    "proxylab import-sb3 takes SB3's own policies only: keep the agent"
)


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        file: path of the file.
        format: ``sb3`` or ``onnx``.
        agent: reference of the agent.
        task: task it was trained for.
        architecture: of its network.
        agent_sha256: of its weights.
        sha256: of the file.
        num_bytes: size of the file.
        note: what reads the file.
    """

    file: str
    format: str
    agent: str
    task: str
    architecture: str
    agent_sha256: str
    sha256: str
    num_bytes: int
    note: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``export --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def export_agent(
    agent: str | Path, to: str, out: str | Path | None = None, force: bool = False
) -> Exported:
    """Write an agent in a format of other libraries.

    Args:
        agent: a run folder, an agent file or ``zoo:TASK/NAME``.
        to: ``sb3`` or ``onnx``.
        out: path of the file, by default the agent's name in the current folder.
        force: replace an existing file.

    Returns:
        :class:`Exported`.

    Raises:
        AgentError: there is no such agent, or it is code.
        UsageError: unknown format, a network that the format cannot hold, or an existing file.
    """
    if to not in ENDINGS:
        raise UsageError(f"unknown format {to!r}: choose {', '.join(ENDINGS)}")
    file = Path(out) if out is not None else Path(_name_of(str(agent)) + ENDINGS[to])
    if file.suffix.lower() != ENDINGS[to]:
        raise UsageError(f"{file}: a file of this format ends in {ENDINGS[to]}")
    if os.path.lexists(file) and not force:
        raise UsageError(f"{file} exists already: --force replaces it, --out names another file")
    policy = _stored(agent)
    raw, note = _sb3(policy) if to == "sb3" else _onnx(policy)
    with whole_file(file) as temporary:
        temporary.write_bytes(raw)
    return Exported(
        file=str(file),
        format=to,
        agent=policy.name,
        task=policy.task or "",
        architecture=policy.spec.architecture,
        agent_sha256=policy.sha256,
        sha256=hashlib.sha256(raw).hexdigest(),
        num_bytes=len(raw),
        note=f"{READS[to]}{note}",
    )


def _stored(reference: str | Path) -> LearnedPolicy:
    """The agent of a reference; ``AgentError`` for scripts and code, which have no network."""
    if str(reference).startswith("script:"):
        raise AgentError(f"{reference}: a script has no network to export")
    return load_stored(reference)


def _sb3(policy: LearnedPolicy) -> tuple[bytes, str]:
    from proxylab.export.sb3 import sb3_bytes  # it loads Stable-Baselines3

    raw, plain = sb3_bytes(policy)
    return raw, f": {PLAIN}" if plain else f", {TRUNK}"


def _onnx(policy: LearnedPolicy) -> tuple[bytes, str]:
    from proxylab.export.onnx_networks import TRUNKS, onnx_bytes  # numpy alone, but only here

    architecture = policy.spec.architecture
    if architecture not in TRUNKS:
        raise UsageError(
            f"{policy.name}: {architecture} needs a loop of its own, which ONNX export does not "
            f"write; --to sb3 takes it (ONNX: {', '.join(TRUNKS)})"
        )
    policy.check()
    return onnx_bytes(policy.spec, dict(policy.weights)), ""


def _name_of(reference: str) -> str:
    """A file name, without ending: TASK-NAME of the zoo, else the name of the agent's folder."""
    if reference.startswith("zoo:"):
        name = reference.removeprefix("zoo:")
    else:
        path = Path(reference).absolute()
        name = (path.parent if path.name in (JSON_NAME, WEIGHTS_NAME) else path).name
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "agent"
