"""The native interface of Procgen, by ctypes: games behind a handle, stepped together.

The structures are those of the library's C interface (``libenv``): options in, buffers
out, named and typed tensors. Maze and CoinRun are used.
"""

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.procgen.install import ASSETS, LIBRARY, ProcgenMissing, find_library

MODES = {"easy": 0, "hard": 1, "memory": 10}
"""Values of the option ``distribution_mode``."""

FRAME = (64, 64, 3)
STAND = 4
"""Action that does not move the mouse."""
RESTART = -1
"""Action that ends the episode and starts the next level."""

_UINT8, _INT32 = 1, 2
_STATE_BYTES = 1 << 16
_NAME = ctypes.c_char * 128


class _Option(ctypes.Structure):
    _fields_ = (
        ("name", _NAME),
        ("dtype", ctypes.c_int),
        ("count", ctypes.c_int),
        ("data", ctypes.c_void_p),
    )


class _Options(ctypes.Structure):
    _fields_ = (("items", ctypes.POINTER(_Option)), ("count", ctypes.c_int))


class _Buffers(ctypes.Structure):
    _fields_ = (
        ("observations", ctypes.POINTER(ctypes.c_void_p)),
        ("rewards", ctypes.c_void_p),
        ("firsts", ctypes.c_void_p),
        ("infos", ctypes.POINTER(ctypes.c_void_p)),
        ("actions", ctypes.POINTER(ctypes.c_void_p)),
    )


@functools.lru_cache(maxsize=4)
def load_library(folder: Path) -> ctypes.CDLL:
    """Load the library in ``folder``; :class:`ProcgenMissing` if that fails."""
    path = folder / LIBRARY
    try:
        library = ctypes.CDLL(str(path), mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
        library.libenv_make.restype = ctypes.c_void_p
        library.libenv_make.argtypes = [ctypes.c_int, _Options]
        for name in ("libenv_act", "libenv_observe", "libenv_close"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
            getattr(library, name).restype = None
        library.libenv_set_buffers.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Buffers)]
        for name in ("get_state", "set_state"):
            getattr(library, name).argtypes = [
                ctypes.c_void_p,
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.c_int,
            ]
    except (OSError, AttributeError) as error:
        raise ProcgenMissing(f"{path} does not load ({error}): install it again") from None
    return library


class Games:
    """N levels of an original game, stepped together; each resets itself at its end.

    Attributes:
        frames: uint8[N, 64, 64, 3], as rendered by the game.
        rewards: float32[N], of the last step.
        firsts: uint8[N], the last step started a new level.
        level_seeds: int32[N], of the running levels.
    """

    def __init__(
        self,
        num: int,
        mode: str = "easy",
        *,
        game: str = "maze",
        num_levels: int = 0,
        start_level: int = 0,
        rand_seed: int = 0,
        folder: str | Path | None = None,
    ) -> None:
        """Make ``num`` levels of ``game``; the order of levels is ``level_order.LevelOrder``."""
        folder = find_library(folder)
        self._library = load_library(folder)
        self.mode, self.num = mode, num
        options = {
            "env_name": game.encode(),
            "num_levels": num_levels,
            "start_level": start_level,
            "distribution_mode": MODES[mode],
            "rand_seed": rand_seed,
            "num_actions": 15,
            "num_threads": 0,
            "use_sequential_levels": False,
            "center_agent": True,
            "use_backgrounds": True,
            "use_generated_assets": False,
            "use_monochrome_assets": False,
            "restrict_themes": False,
            "paint_vel_info": False,
            "debug_mode": 0,
            "render_human": False,
            "resource_root": f"{folder / ASSETS}/".encode(),
        }
        self._kept = []
        self._handle = ctypes.c_void_p(self._library.libenv_make(num, self._options(options)))
        self.frames = np.zeros((num, *FRAME), np.uint8)
        self.rewards = np.zeros(num, np.float32)
        self.firsts = np.zeros(num, np.uint8)
        self.level_seeds = np.zeros(num, np.int32)
        self._actions = np.zeros(num, np.int32)
        self._set_buffers()
        self.observe()

    def _options(self, options: dict[str, bytes | int]) -> _Options:
        items = (_Option * len(options))()
        for k, (name, value) in enumerate(options.items()):
            if isinstance(value, bytes):
                array, dtype = np.frombuffer(value, np.uint8).copy(), _UINT8
            elif isinstance(value, bool):
                array, dtype = np.array([value], np.uint8), _UINT8
            else:
                array, dtype = np.array([value], np.int32), _INT32
            self._kept.append(array)
            items[k] = _Option(name.encode(), dtype, array.size, array.ctypes.data)
        return _Options(items, len(options))

    def _set_buffers(self) -> None:
        """Set the buffers; infos are previous level seed, completed, level seed."""
        before, completed = np.zeros(self.num, np.int32), np.zeros(self.num, np.uint8)
        self._kept += [before, completed]
        self._buffers = _Buffers(
            self._pointers([self.frames]),
            self.rewards.ctypes.data,
            self.firsts.ctypes.data,
            self._pointers([before, completed, self.level_seeds]),
            self._pointers([self._actions]),
        )
        self._library.libenv_set_buffers(self._handle, ctypes.byref(self._buffers))

    def _pointers(self, arrays: list[NDArray[Any]]) -> Any:
        """Addresses of the rows of all arrays."""
        found = (ctypes.c_void_p * (len(arrays) * self.num))()
        for k, array in enumerate(arrays):
            for row in range(self.num):
                found[k * self.num + row] = array.ctypes.data + row * array.strides[0]
        self._kept.append(found)
        return ctypes.cast(found, ctypes.POINTER(ctypes.c_void_p))

    def act(self, actions: NDArray[Any] | int) -> None:
        """Take one of the 15 actions (int[N] or int) in every maze, and observe."""
        self._actions[:] = actions
        self._library.libenv_act(self._handle)
        self.observe()

    def observe(self) -> None:
        """Update the arrays."""
        self._library.libenv_observe(self._handle)

    def get_state(self, index: int) -> bytes:
        """bytes: the serialised state of maze ``index``."""
        buffer = ctypes.create_string_buffer(_STATE_BYTES)
        size = self._library.get_state(self._handle, index, buffer, _STATE_BYTES)
        return ctypes.string_at(buffer, size)

    def set_state(self, index: int, state: bytes) -> None:
        """Restore a state; :meth:`observe` updates the arrays."""
        self._library.set_state(self._handle, index, state, len(state))

    def close(self) -> None:
        """Free the games."""
        if self._handle is not None:
            self._library.libenv_close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        """Free the games on garbage collection."""
        if getattr(self, "_handle", None) is not None:
            self.close()
