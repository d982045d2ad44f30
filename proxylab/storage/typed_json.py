"""Dataclasses in JSON and back, with the type of every value checked."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def as_plain(value: Any) -> Any:
    """A dataclass as JSON: arrays become lists; NaN and infinities are refused.

    Raises:
        ValueError: a number is not finite, which JSON cannot hold.
    """
    if is_dataclass(value):
        return {item.name: as_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    return value


def as_type(kind: type[T], value: Any, names: Mapping[str, Any] | None = None) -> T:
    """The object of a type that :func:`as_plain` made a JSON value of.

    Args:
        kind: a dataclass, or a type that the fields of one may have.
        value: of JSON.
        names: {name: type} of forward references in the dataclasses.

    Raises:
        ValueError: a field is missing, unknown or of another type; the message names it.
    """
    return _read(kind, value, "the record", dict(names or {}))


def _read(kind: Any, value: Any, where: str, names: dict[str, Any]) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _dataclass(kind, value, where, names)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _any_of(inner, value, where, names)
    if origin is np.ndarray:
        return _array(typing.get_args(inner[1])[0], value, where)
    if origin in (list, tuple):
        return _sequence(origin, inner, value, where, names)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        items = _of(dict, value, where).items()
        return {key: _read(inner[1], item, f"{where}.{key}", names) for key, item in items}
    return _scalar(kind, value, where)


def _dataclass(kind: Any, value: Any, where: str, names: dict[str, Any]) -> Any:
    given = _of(dict, value, where)
    hints = typing.get_type_hints(kind, localns=names)
    known = {item.name for item in fields(kind)}
    if known != set(given):
        wrong = sorted(known ^ set(given))[0]
        raise ValueError(f"{where}: the field {wrong[:40]!r} is missing or unknown")
    values = {name: _read(hints[name], given[name], f"{where}.{name}", names) for name in known}
    return kind(**values)


def _any_of(kinds: tuple[Any, ...], value: Any, where: str, names: dict[str, Any]) -> Any:
    """The value as the first type of a union that it has."""
    if value is None and type(None) in kinds:
        return None
    problem = ValueError(f"{where} is of a wrong type")
    for kind in kinds:
        try:
            return _read(kind, value, where, names)
        except ValueError as error:
            problem = error
    raise problem


def _sequence(
    origin: Any, inner: tuple[Any, ...], value: Any, where: str, names: dict[str, Any]
) -> Any:
    items = _of(list, value, where)
    if origin is list or inner[-1] is Ellipsis:
        return origin(_read(inner[0], item, where, names) for item in items)
    if len(items) != len(inner):
        raise ValueError(f"{where} has {len(items)} values, not {len(inner)}")
    return tuple(_read(k, item, where, names) for k, item in zip(inner, items, strict=True))


def _array(kind: Any, value: Any, where: str) -> NDArray[Any]:
    try:
        array = np.array(_of(list, value, where))
    except ValueError:
        raise ValueError(f"{where}: its rows differ in length") from None
    if array.size and (array.dtype.kind not in "if" or not np.can_cast(array.dtype, kind, "safe")):
        raise ValueError(f"{where} holds other values than numbers")
    return array.astype(kind)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _of(kind, value, where)


def _of(kind: type[Any], value: Any, where: str) -> Any:
    """The value, if it is of the type; a bool is no int."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} is no {kind.__name__}")
    return value
