"""A separate process for a third-party file, with limits on memory and time.

The process loads its libraries first and then limits itself (:func:`bound`), so the limit
applies to the work that the file causes, independent of the libraries' own use. This is not a
sandbox against running code: nothing here executes code from a file, and the limits stop files
that cost too much. Memory and processor time are limited where the operating system supports
it (Linux; macOS limits time only, Windows neither); the waiting time is limited everywhere.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from io import BufferedReader, BufferedWriter
from pathlib import Path
from types import ModuleType
from typing import NoReturn, TypeVar, cast

from proxylab.console.terminal import one_line
from proxylab.errors import AgentError, UsageError
from proxylab.storage.limits import LIMITS

REFUSED = 2
"""Exit code of a process that has written to stderr what is wrong with its file."""

GRACE_SECONDS = 2
"""Time for a process to end after its last output."""

MESSAGE_BYTES = 2000
MAX_FILE_BYTES = 1 << 20
"""Largest file that the process may write: only its stderr is one."""


Answer = TypeVar("Answer")


class Refusal(Exception):
    """What is wrong with the file, in one line; only within a confined process."""


class Confined:
    """A running process: bytes in, bytes out.

    Attributes:
        source: the file, for messages.
        error: exception class that is raised.
        cpu_seconds: limit on processor time of a request, for messages.
        wall_seconds: limit on the time of a request.
    """

    error: type[UsageError] = AgentError

    def __init__(
        self,
        module: str,
        path: str | Path,
        source: str | Path,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start ``python -m module path``.

        Args:
            module: module that the process runs.
            path: file or folder that it reads.
            source: see the attribute.
            settings: {name: value} of additional environment variables.
        """
        self.source = source
        self.cpu_seconds, self.wall_seconds = LIMITS.cpu_seconds, LIMITS.wall_seconds
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            # -P: a torch.py in the current folder is not taken for torch
            [sys.executable, "-P", "-m", module, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **(settings or {})},
        )
        self._input = cast("BufferedWriter", self._process.stdin)
        self._output = cast("BufferedReader", self._process.stdout)
        self._late = False

    def frame(self, request: bytes, limit: int) -> bytes:
        """Send ``request`` (bytes) and read a frame: its length in 4 bytes, then the rest.

        Raises:
            AgentError: the process refused the file, died or took too long, or the frame is
                longer than ``limit`` bytes.
        """
        return self._timed(lambda: self._exchange(request, limit))

    def all(self, limit: int) -> bytes:
        """All of its output, at most ``limit`` bytes; raises ``AgentError`` like :meth:`frame`."""
        content = self._timed(lambda: self._output.read(limit + 1))
        if len(content) > limit:
            self.close()
            raise self.error(f"{self.source}: what it holds is larger than {limit} bytes")
        if self._process.wait():
            raise self._complaint()
        return content

    def _exchange(self, request: bytes, limit: int) -> bytes:
        self._input.write(request)
        self._input.flush()
        length = int.from_bytes(self._output.read(4), "little")
        return self._output.read(length) if length <= limit else b""

    def _timed(self, exchange: Callable[[], Answer]) -> Answer:
        timer = threading.Timer(self.wall_seconds, self._stop_late)
        timer.start()
        try:
            answer = exchange()
        except OSError:  # a broken pipe: the process has ended, and stderr has the reason
            answer = None
        finally:
            timer.cancel()
        if not answer:
            raise self._complaint()
        return answer

    def _stop_late(self) -> None:
        self._late = True
        self._process.kill()

    def _complaint(self) -> UsageError:
        """Close the process and return the error that gives the reason for its end."""
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # it still runs, but its output is no frame
            code = 0
        self._errors.seek(0)
        message = self._errors.read(MESSAGE_BYTES).decode(errors="replace")
        self.close()
        return self.error(
            f"{self.source}: {reason_of_end(code, message, self._late, self.cpu_seconds)}"
        )

    def close(self) -> None:
        """Stop the process if it is running, and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output, self._errors):
            with contextlib.suppress(OSError):
                pipe.close()


def reason_of_end(code: int, message: str, late: bool, cpu_seconds: int) -> str:
    """Why a process ended, from its exit code, its stderr, and whether it was stopped late."""
    if late or code in (-getattr(signal, "SIGXCPU", 0), -signal.SIGTERM):
        return f"reading it takes more than {cpu_seconds} s of processor time"
    if code == REFUSED and message.strip():
        return one_line(message)
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the process that reads it ended by itself ({ended}): the file is damaged or hostile"


# Within the process


def run(work: Callable[[], None]) -> None:
    """Call ``work``; an error becomes one line on stderr and the exit code ``REFUSED``."""
    try:
        work()
    except Refusal as refusal:
        _refuse(one_line(refusal))
    except MemoryError:
        _refuse(f"reading it takes more than {LIMITS.memory_bytes >> 20} MiB of memory")
    except RecursionError:
        _refuse("it is nested too deeply")
    except BrokenPipeError:
        _refuse("the reading end of the pipe is closed")
    except Exception as error:  # whatever a library raises for a damaged file
        _refuse(one_line(f"it cannot be read ({type(error).__name__}: {error})"))


def _refuse(line: str) -> NoReturn:
    print(line, file=sys.stderr, flush=True)
    os._exit(REFUSED)


def bound() -> None:
    """Limit memory to present use plus ``LIMITS.memory_bytes``, and the size of written files."""
    try:
        import resource  # Unix only
    except ImportError:  # Windows
        return
    wanted = {
        resource.RLIMIT_AS: address_space() + LIMITS.memory_bytes,
        resource.RLIMIT_CPU: LIMITS.cpu_total + 2 * LIMITS.cpu_seconds,  # the hard limit
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for what, value in wanted.items():
        _lower(resource, what, value)
    bound_time()  # the soft limit; the one above is the hard one


def rebound(memory: int, file_bytes: int) -> None:
    """Limit memory (address space) and the size of written files, until the next call."""
    try:
        import resource  # Unix only
    except ImportError:
        return
    _lower(resource, resource.RLIMIT_CORE, 0)
    for what, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file_bytes)):
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, hard))


def bound_time(seconds: int | None = None, *, whole_life: bool = True) -> None:
    """Limit processor time to ``seconds`` from now on.

    Args:
        seconds: until the next call; by default ``LIMITS.cpu_seconds``.
        whole_life: limit that of the whole process to ``LIMITS.cpu_total`` as well; False where
            the process reads many files in turn.

    Raises:
        Refusal: the process has used the total.
    """
    used, total = time.process_time(), LIMITS.cpu_total
    if whole_life and used >= total:
        raise Refusal(f"it has used {total} s of processor time, the limit for one file")
    try:
        import resource  # Unix only
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = int(used) + 1 + (LIMITS.cpu_seconds if seconds is None else seconds)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def address_space() -> int:
    """Bytes of address space in use; 8 GiB where /proc is not available."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 8 << 30


def _lower(resource: ModuleType, what: int, value: int) -> None:
    """Lower a limit permanently, where the operating system supports it."""
    try:
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    except (ValueError, OSError):
        pass
