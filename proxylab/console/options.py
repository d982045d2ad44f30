"""Types of options that several verbs share, with the validation of their values.

Every number, text and path of a verb has one of these types, so an invalid value is
refused with one line before anything is loaded or run.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import FlagCreatePairsOff
from tyro.constructors import PrimitiveConstructorSpec

Flag = FlagCreatePairsOff[bool]
Device = Literal["auto", "cpu", "cuda"]

LARGEST = 1 << 53
"""Largest whole number: all up to it are exact as floats."""
LONGEST = 4096
"""Characters in a text or a path."""


def _spec(kind: type[Any], metavar: str, read: Callable[[str], Any]) -> PrimitiveConstructorSpec:
    """How tyro reads a value from one word; ``read`` raises ``ValueError`` with the reason."""
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


def whole(low: int, high: int = LARGEST) -> PrimitiveConstructorSpec:
    """A whole number from ``low`` to ``high``."""

    def read(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            raise ValueError(f"{_cut(word)} is no whole number") from None
        if not low <= value <= high:
            raise ValueError(f"{_cut(word)} is not between {low} and {high}")
        return value

    return _spec(int, "INT", read)


def real(
    low: float = -math.inf, high: float = math.inf, inside: bool = False
) -> PrimitiveConstructorSpec:
    """A finite number from ``low`` to ``high``; ``inside`` leaves out both ends."""

    def read(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            raise ValueError(f"{_cut(word)} is no number") from None
        if not math.isfinite(value):
            raise ValueError(f"{_cut(word)} is no finite number")
        fits = low < value < high if inside else low <= value <= high
        if not fits:
            raise ValueError(f"{_cut(word)} is not between {low:g} and {high:g}")
        return value

    return _spec(float, "FLOAT", read)


def _text(word: str) -> str:
    if not word.strip():
        raise ValueError("an empty text is no value")
    if len(word) > LONGEST or "\0" in word:
        raise ValueError(f"{_cut(word)} is longer than {LONGEST} characters, or holds a zero")
    return word


def _cut(word: str) -> str:
    return repr(word) if len(word) <= 40 else repr(word[:39]) + "…"


Positive = Annotated[int, whole(1)]
"""1, 2, 3, …"""
NonNegative = Annotated[int, whole(0)]
"""0, 1, 2, …"""
Seed = Annotated[int, whole(0)]
"""Of a generator."""
Port = Annotated[int, whole(0, 65_535)]
"""Of TCP; 0 takes a free one."""
Finite = Annotated[float, real()]
"""Neither NaN nor infinite."""
Rate = Annotated[float, real(0, 1, inside=True)]
"""Between 0 and 1, both left out."""
Share = Annotated[float, real(0, 1)]
"""From 0 to 1."""
Correlation = Annotated[float, real(-1, 1)]
"""From -1 to 1."""
Text = Annotated[str, _spec(str, "TEXT", _text)]
"""Not empty."""
Task = Annotated[str, _spec(str, "TASK", _text)]
"""Name of a task."""
Agent = Annotated[str, _spec(str, "AGENT", _text)]
"""Reference to an agent or to agents."""
Detector = Annotated[str, _spec(str, "DETECTOR", _text)]
"""Name of a detector or of a group of detectors, or reference to one."""
Trigger = Annotated[str, _spec(str, "TRIGGER", _text)]
"""Name of a trigger of a guard."""
Experiment = Annotated[str, _spec(str, "EXPERIMENT", _text)]
"""Name of an experiment."""
Repository = Annotated[str, _spec(str, "OWNER/NAME", _text)]
"""Name of a repository on the Hugging Face Hub."""
Env = Annotated[str, _spec(str, "ENV", _text)]
"""Id or short name of an environment, or reference to one."""
File = Annotated[Path, _spec(Path, "PATH", lambda word: Path(_text(word)))]
"""A path; not empty, which would be the current folder."""
