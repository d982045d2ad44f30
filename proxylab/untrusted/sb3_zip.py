"""A Stable-Baselines3 zip: its digest, and its tensors by a confined or unpickling reader."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxylab.console.terminal import one_line
from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Confined

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
    """The bytes of a safetensors file with the zip's tensors, by the confined reader."""
    process = Confined(READER, file.resolve(), file)
    try:
        return process.all(LIMITS.sb3_bytes + LIMITS.header_bytes)
    finally:
        process.close()


def read_unpickled(file: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """({name: float32 array}, facts) by SB3's own loader, which runs the code in the file."""
    from proxylab.untrusted.sb3_trusted import load_trusted  # SB3: only where pickles are trusted

    try:
        return load_trusted(file)
    except Exception as error:  # the file's code may raise anything
        raise AgentError(f"{file}: {one_line(f'{type(error).__name__}: {error}')}") from None
