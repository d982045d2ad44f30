"""A process of its own for a stranger's file, with bounds on memory and time.

The process loads its libraries first and then bounds itself (:func:`bound`), so the bound
holds for what the file makes it do, whatever the libraries need. It is no sandbox against
code that runs: nothing here lets code run, and the bounds catch what only costs too much.
Memory and processor time are bounded where the system can (Linux; macOS bounds time only,
Windows neither); the waiting time everywhere.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading

from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS

REFUSED = 2
"""Exit code of a process that has said on stderr what is wrong with its file."""

GRACE_SECONDS = 2
"""For a process to end after its last word."""

MESSAGE_BYTES = 2000
MESSAGE_CHARACTERS = 300
MAX_FILE_BYTES = 1 << 20
"""What the process may write into a file: its stderr, nothing else."""


class Refusal(Exception):
    """What is wrong with the file, in one line; only within a confined process."""


class Confined:
    """A running process: bytes in, bytes out.

    Attributes:
        source: the file, for messages.
    """

    def __init__(self, module, path, source):
        """Start ``python -m module path``; ``path`` is what it may look into."""
        self.source = source
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            # -P: a torch.py in the current folder is not taken for torch
            [sys.executable, "-P", "-m", module, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        self._late = False

    def frame(self, request, limit):
        """Send ``request`` (bytes) and read a frame: its length in 4 bytes, then the rest.

        Raises:
            AgentError: the process refused the file, died or took too long, or the frame is
                longer than ``limit`` bytes.
        """
        return self._timed(lambda: self._exchange(request, limit))

    def all(self, limit):
        """All that it writes, at most ``limit`` bytes, up to its end; ``AgentError`` as above."""
        found = self._timed(lambda: self._process.stdout.read(limit + 1))  # ty: ignore
        if len(found) > limit:
            self.close()
            raise AgentError(f"{self.source}: what it holds is larger than {limit} bytes")
        if self._process.wait():
            raise self._complaint()
        return found

    def _exchange(self, request, limit):
        self._process.stdin.write(request)  # ty: ignore
        self._process.stdin.flush()  # ty: ignore
        length = int.from_bytes(self._process.stdout.read(4), "little")  # ty: ignore
        return self._process.stdout.read(length) if length <= limit else b""  # ty: ignore

    def _timed(self, exchange):
        timer = threading.Timer(LIMITS.wall_seconds, self._stop_late)
        timer.start()
        try:
            found = exchange()
        except OSError:  # a broken pipe: it has ended, and stderr says why
            found = b""
        finally:
            timer.cancel()
        if not found:
            raise self._complaint()
        return found

    def _stop_late(self):
        self._late = True
        self._process.kill()

    def _complaint(self):
        """AgentError with why it ended, and the process cleared away."""
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # it goes on, but what it said is no frame
            code = 0
        self._errors.seek(0)
        said = self._errors.read(MESSAGE_BYTES).decode(errors="replace")
        self.close()
        return AgentError(f"{self.source}: {_reason(code, said, self._late)}")

    def close(self):
        """End the process, if it runs, and its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                pipe.close()  # ty: ignore


def _reason(code, said, late):
    if late or code in (-getattr(signal, "SIGXCPU", 0), -signal.SIGTERM):
        return f"reading it takes more than {LIMITS.cpu_seconds} s of processor time"
    if code == REFUSED and said.strip():
        return one_line(said)
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the process that reads it ended by itself ({ended}): the file is damaged or hostile"


def one_line(text):
    """The text as one line of printable characters, not too long."""
    joined = " ".join(str(text).split())
    plain = "".join(c if c.isprintable() else "?" for c in joined)
    return plain if len(plain) <= MESSAGE_CHARACTERS else plain[: MESSAGE_CHARACTERS - 1] + "…"


# Within the process


def run(work):
    """Do ``work`` and end; whatever is wrong becomes one line on stderr and ``REFUSED``."""
    try:
        work()
    except Refusal as refusal:
        _refuse(one_line(refusal))
    except MemoryError:
        _refuse(f"reading it takes more than {LIMITS.memory_bytes >> 20} MiB of memory")
    except RecursionError:
        _refuse("it is nested too deeply")
    except BrokenPipeError:
        _refuse("nobody listens")
    except Exception as error:  # whatever a library says about a damaged file
        _refuse(one_line(f"it cannot be read ({type(error).__name__}: {error})"))


def _refuse(line):
    print(line, file=sys.stderr, flush=True)
    os._exit(REFUSED)


def bound():
    """Bound memory to what is used now and ``LIMITS.memory_bytes``, and writing to nothing."""
    try:
        import resource  # Unix only
    except ImportError:  # Windows
        return
    bound_time()
    wanted = {
        resource.RLIMIT_AS: _address_space() + LIMITS.memory_bytes,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for what, value in wanted.items():
        _lower(resource, what, value)


def bound_time():
    """Give the process ``LIMITS.cpu_seconds`` from now on."""
    try:
        import resource  # Unix only
    except ImportError:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + LIMITS.cpu_seconds, hard))


def _address_space():
    """Bytes of address space in use; a generous guess where /proc does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 8 << 30


def _lower(resource, what, value):
    """Lower a limit for good; a system that does not know it goes without."""
    try:
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    except (ValueError, OSError):
        pass
