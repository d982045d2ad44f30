"""Requests of the page, read from JSON and validated; an error is one line."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proxylab.errors import UsageError
from proxylab.guard.triggers import TRIGGERS
from proxylab.rewards.raters import ANSWERS
from proxylab.storage.limits import LIMITS

MAX_BYTES = 16_384
"""Largest body of a request; the largest level that can be drawn takes 4 kB."""

MAX_SEED = 2**31 - 1
MAX_LEVEL = 8_192
"""Characters of a level."""


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        kind: type.
        fits: function (value) -> whether it is valid.
        what: the valid values, in words.
        default: of an optional field; ``...`` of a required one.
    """

    kind: type[Any]
    fits: Callable[[Any], bool]
    what: str
    default: Any = ...


def _between(low: int, high: int, default: Any = ...) -> Field:
    return Field(int, lambda n: low <= n <= high, f"a whole number from {low} to {high}", default)


FIELDS = {
    "world": Field(str, lambda s: len(s) <= 200, "a name"),
    "split": Field(str, lambda s: len(s) <= 20, "a name"),
    "agent": Field(str, lambda s: len(s) <= 400, "a name"),
    "agents": Field(list, lambda v: 1 <= len(v) <= 2, "a list of one or two names"),
    "level": Field(str, lambda s: 1 <= len(s) <= MAX_LEVEL, "the text of a level"),
    "seed": _between(0, MAX_SEED),
    "run": _between(0, MAX_SEED, default=0),
    "episodes": _between(10, 1_000, default=100),
    "guard": Field(str, lambda s: s in TRIGGERS, f"one of {', '.join(TRIGGERS)}", default=None),
    "greedy": Field(bool, lambda _: True, "true or false", default=False),
    "spoke": _between(0, 23, default=None),
    "targets": Field(bool, lambda _: True, "true or false", default=True),
    "number": _between(0, LIMITS.preference_pairs),
    "answer": Field(str, lambda s: s in ANSWERS, f"one of {', '.join(ANSWERS)}"),
}
"""{name: :class:`Field`} of all requests."""


def read_json(body: bytes) -> dict[str, Any]:
    """The object in a body of bytes; ``UsageError`` where there is none."""
    try:
        request = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UsageError("the request is not JSON") from None
    if not isinstance(request, dict):
        raise UsageError("the request is no JSON object")
    return request


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def checked(request: Mapping[str, Any], names: Iterable[str]) -> list[Any]:
    """The fields ``names`` of a request, checked and in this order.

    Raises:
        UsageError: one is missing, wrong or not known.
    """
    unknown = sorted(set(request) - set(names))
    if unknown:
        raise UsageError(f"unknown field {unknown[0][:40]!r}")
    return [_value(request, name, FIELDS[name]) for name in names]


def _value(request: Mapping[str, Any], name: str, field: Field) -> Any:
    value = request.get(name, field.default)
    if value is ...:
        raise UsageError(f"the field {name!r} is missing")
    if value is field.default:
        return value
    fits = type(value) is field.kind and field.fits(value)
    if fits and field.kind is list:
        fits = all(isinstance(item, str) for item in value)
    if not fits:
        raise UsageError(f"{name} is not {field.what}")
    return value
