"""Agents and reward models on the Hugging Face Hub (extra ``hub``).

A repository holds the two files of an agent or of a reward model, JSON and safetensors. ``pull``
asks for these by name, reads no more bytes than any stored agent may have, and checks them as the
files of strangers; whatever else a repository holds is never fetched.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxylab.agents import format as agent_format
from proxylab.agents.format import read_agent
from proxylab.errors import AgentError, UsageError, require_extra
from proxylab.rewards import model as reward_format
from proxylab.rewards.model import load_model
from proxylab.storage.limits import LIMITS
from proxylab.storage.user_cache import cache_root
from proxylab.storage.whole_files import whole_file

SECONDS = 120.0
"""Longest time of one file."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Kind:
    """A kind of folder that is shared.

    Attributes:
        name: in messages.
        files: its JSON file and its weights.
        read: function (folder) that checks both; ``AgentError`` says what is wrong.
    """

    name: str
    files: tuple[str, str]
    read: Callable[[Path], Any]


KINDS = (
    Kind("agent", (agent_format.JSON_NAME, agent_format.WEIGHTS_NAME), read_agent),
    Kind("reward model", (reward_format.JSON_NAME, reward_format.WEIGHTS_NAME), load_model),
)


@dataclass(frozen=True)
class Pushed:
    """An upload.

    Attributes:
        repository: name of the repository.
        kind: ``agent`` or ``reward model``.
        files: names of the files.
        commit: identifier of the new version.
    """

    repository: str
    kind: str
    files: list[str]
    commit: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``push --json`` prints."""
        return {"schema": "proxylab.push/1", **asdict(self)}


@dataclass(frozen=True)
class Pulled:
    """A download.

    Attributes:
        folder: where the agent or reward model is.
        repository: name of the repository.
        revision: the version asked for.
        kind: ``agent`` or ``reward model``.
        num_bytes: size of its files.
    """

    folder: str
    repository: str
    revision: str
    kind: str
    num_bytes: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``pull --json`` prints."""
        return {"schema": "proxylab.pull/1", **asdict(self)}


def push(folder: str | Path, repository: str, private: bool = False) -> Pushed:
    """Upload an agent or a reward model; the repository is made where there is none.

    Args:
        folder: a run folder, the folder of an agent, or that of a reward model.
        repository: ``OWNER/NAME``.
        private: a new repository is private.

    Returns:
        :class:`Pushed`.

    Raises:
        UsageError: no such folder, a wrong name, or the hub refuses.
    """
    _check(repository, "main")
    folder = Path(folder)
    kind = next((k for k in KINDS if (folder / k.files[0]).is_file()), None)
    if kind is None:
        raise UsageError(f"{folder}: there is no agent and no reward model here")
    kind.read(folder)
    # loads httpx
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=_endpoint())
    files = [CommitOperationAdd(name, str(folder / name)) for name in kind.files]
    message = f"{kind.name} of proxylab"
    with _refusals(repository):
        api.create_repo(repository, private=private or None, exist_ok=True)
        commit = api.create_commit(repository, files, commit_message=message)
    return Pushed(repository, kind.name, list(kind.files), str(commit.oid))


def pull(repository: str, out: str | Path | None = None, revision: str = "main") -> Pulled:
    """Download an agent or a reward model; nothing in it runs.

    Args:
        repository: ``OWNER/NAME``.
        out: new folder; by default one in the user's cache folder, which is replaced.
        revision: branch, tag or commit.

    Returns:
        :class:`Pulled`.

    Raises:
        UsageError: a wrong name, a folder that holds something else, or the hub refuses.
        AgentError: the repository holds neither kind, or a file is damaged or over a limit.
    """
    _check(repository, revision)
    folder = Path(out) if out else cache_root() / "agents" / repository
    if out and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something already: choose another --out")
    with tempfile.TemporaryDirectory(prefix="proxylab-pull-") as name:
        fetched = Path(name)
        with _refusals(repository):
            kind = _fetch(repository, revision, fetched)
        try:
            kind.read(fetched)
        except AgentError as error:
            raise AgentError(f"{repository}: {str(error).replace(name, '').lstrip('/')}") from None
        contents = {file: (fetched / file).read_bytes() for file in kind.files}
    for file, content in contents.items():
        with whole_file(folder / file) as temporary:
            temporary.write_bytes(content)
    size = sum(map(len, contents.values()))
    return Pulled(str(folder), repository, revision, kind.name, size)


def _fetch(repository: str, revision: str, folder: Path) -> Kind:
    """Write the two files of the first kind that a repository holds."""
    for kind in KINDS:
        record = _content(repository, revision, kind.files[0], LIMITS.json_bytes)
        if record is None:
            continue
        weights = _content(repository, revision, kind.files[1], LIMITS.weight_bytes)
        if weights is None:
            raise AgentError(f"{repository}: {kind.files[1]} is missing")
        (folder / kind.files[0]).write_bytes(record)
        (folder / kind.files[1]).write_bytes(weights)
        return kind
    raise AgentError(f"{repository}: it holds no agent and no reward model of proxylab")


def _content(repository: str, revision: str, file: str, limit: int) -> bytes | None:
    """A file of a repository, None where there is none; ``AgentError`` over the limits."""
    # loads httpx
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(repository, file, revision=revision, endpoint=_endpoint())
    options: dict[str, Any] = {"headers": build_hf_headers(), "follow_redirects": True}
    began, parts, size = time.monotonic(), [], 0
    with get_session().stream("GET", url, timeout=10.0, **options) as response:
        if response.status_code == 404:
            return None
        hf_raise_for_status(response)
        for part in response.iter_bytes():
            size += len(part)
            if size > limit:
                raise AgentError(f"{repository}: {file} is larger than the limit of {limit} bytes")
            if time.monotonic() - began > SECONDS:
                raise AgentError(f"{repository}: {file} takes longer than {SECONDS:.0f} s")
            parts.append(part)
    return b"".join(parts)


def _check(repository: str, revision: str) -> None:
    """``UsageError`` without the extra, or for a name that no repository can have."""
    require_extra("huggingface_hub", "hub")
    if not NAME.fullmatch(repository) or ".." in repository:
        raise UsageError(f"{repository!r} is no name of a repository: write OWNER/NAME")
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise UsageError(f"{revision!r} is no branch, tag or commit")


def _endpoint() -> str | None:
    """``HF_ENDPOINT``, read at every call, or None for the public hub."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _refusals(repository: str) -> Generator[None]:
    """Errors of the hub, of its library and of the network as ``UsageError`` in one line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # of the hub's library, or of the HTTP library that it uses
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        advice = "is HF_TOKEN set, and is there a network?"
        raise UsageError(f"{repository}: the hub refuses: {said}; {advice}") from None
