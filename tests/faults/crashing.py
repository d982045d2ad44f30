"""Children that die, or lose the disk, at a chosen file operation.

A child is forked from a process that has loaded everything, so that a trial costs no
start. In it an audit hook counts the operations on files below one folder: opening for
writing, renaming, removing. At the chosen one the child kills itself, or the operation
fails as on a full disk. The hooks live here: the product knows nothing of them.
"""

import errno
import os
import signal
import sys
import traceback
from pathlib import Path

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir")


def is_write(event, arguments):
    """Whether an audit event changes a file."""
    if event != "open":
        return event in EVENTS
    _, mode, flags = arguments
    return bool((flags or 0) & WRITES) or any(c in (mode or "") for c in "wxa+")


class Hook:
    """Calls ``act`` at operation ``at`` (from 1) below ``folder``, and at every later one."""

    def __init__(self, folder, at, act):
        self.folder, self.at, self.act, self.count = str(folder), at, act, 0

    def __call__(self, event, arguments):
        if event not in EVENTS or not arguments or isinstance(arguments[0], int):
            return
        if self.folder in os.fsdecode(arguments[0]) and is_write(event, arguments):
            self.count += 1
            if self.count >= self.at:
                self.act()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def in_child(job, folder=None, at=None, act=die, after=None):
    """Run ``job()`` in a forked child: its exit status, negative for a signal.

    Args:
        job: function without arguments; an exception makes the status 1, and its message
            goes to ``folder``'s sibling ``error.txt``.
        folder: operations below it count.
        at: operation at which ``act`` is called; None for never.
        act: what happens there.
        after: seconds after which the child is killed, wherever it is; None for never.
    """
    child = os.fork()
    if child == 0:
        _run(job, folder, at, act, after)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(job, folder, at, act, after):
    code = 1
    try:
        if after is not None:
            signal.signal(signal.SIGALRM, lambda *_: die())
            signal.setitimer(signal.ITIMER_REAL, after)
        if at is not None:
            sys.addaudithook(Hook(folder, at, act))
        job()
        code = 0
    except BaseException as error:
        note = Path(folder).parent / "error.txt"
        note.write_text(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    finally:
        os._exit(code)
