"""A Stable-Baselines3 zip: its digest, and its tensors by a confined or unpickling reader."""

import hashlib
import os
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxylab.console.terminal import one_line
from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Confined
from proxylab.untrusted.sb3_tensors import LENGTH, MOST_BYTES, SERVE, SOUND

READER = "proxylab.untrusted.sb3_tensors"


def file_sha256(file: Path) -> str:
    """sha256 of a regular file that is not too large: hex string."""
    try:
        if not file.is_file():
            what = "is no file" if file.exists() else "there is no such file"
            raise AgentError(f"{file}: {what}")
        if file.stat().st_size > LIMITS.sb3_bytes:
            raise AgentError(f"{file}: larger than the limit of {LIMITS.sb3_bytes} bytes")
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise AgentError(f"{file}: cannot be read ({error.strerror})") from None


def read_confined(file: Path) -> bytes:
    """The bytes of a safetensors file with the zip's tensors, by the confined reader.

    On Linux one process loads torch and forks a bounded one for every zip; elsewhere a process is
    started for each.
    """
    if sys.platform == "linux":
        return _served(file)
    process = Confined(READER, file.resolve(), file)
    try:
        return process.all(MOST_BYTES)
    finally:
        process.close()


_LOCK = threading.Lock()
_SERVERS: list[Confined] = []
"""The running reader, if there is one; it ends with this process, whose pipe it reads."""


def _served(file: Path) -> bytes:
    """The answer of the reader that forks; it is started where none runs."""
    path = os.fsencode(file.resolve())
    with _LOCK:
        server = _SERVERS.pop() if _SERVERS else Confined(READER, SERVE, file)
        server.source = file
        answer = server.frame(len(path).to_bytes(LENGTH, "little") + path, MOST_BYTES + 1)
        _SERVERS.append(server)  # not where it failed: the next zip gets a new one
    if answer.startswith(SOUND):
        return answer[1:]
    raise AgentError(f"{file}: {one_line(answer[1:].decode(errors='replace'))}")


def read_unpickled(file: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """({name: float32 array}, facts) by SB3's own loader, which runs the code in the file."""
    from proxylab.untrusted.sb3_trusted import load_trusted  # SB3: only where pickles are trusted

    try:
        return load_trusted(file)
    except Exception as error:  # the file's code may raise anything
        raise AgentError(f"{file}: {one_line(f'{type(error).__name__}: {error}')}") from None
