"""The parameters of a verb, read from its dataclass: for ``--help`` and for completion."""

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from tyro.conf import Positional, arg
from tyro.constructors import PrimitiveConstructorSpec

POSITIONAL = get_args(Positional[int])[1]
"""The mark of a positional argument among a type's annotations."""


def metavar_of(kind: Any) -> str | None:
    """The name of the values of one of the types above, also where they may be None or several."""
    for item in getattr(kind, "__metadata__", ()):
        if isinstance(item, PrimitiveConstructorSpec):
            return item.metavar
    return next(filter(None, map(metavar_of, get_args(kind))), None)


def presented(command: type[Any]) -> type[Any]:
    """A verb's dataclass whose ``--help`` names values: ``[AGENT…]``, and no empty defaults.

    Args:
        command: the dataclass; its fields with defaults, texts and checks stay the same.
    """
    hints = get_type_hints(command, include_extras=True)
    kinds = {f.name: named_values(hints[f.name], f.default) for f in fields(command)}
    values = {f.name: f for f in fields(command)}
    namespace = {
        "__annotations__": kinds,
        "__doc__": command.__doc__,
        "__module__": command.__module__,
    }
    return dataclass(frozen=True)(type(command.__name__, (command,), namespace | values))


def named_values(kind: Any, default: object) -> Any:
    """The type of an option, annotated with what ``--help`` says of its values and default."""
    if is_dataclass(kind):
        return kind
    name = metavar_of(kind) if _holds_tuple(kind) else None
    metavar = f"[{name}…]" if default == () else f"{name}…"
    return Annotated[kind, arg(metavar=metavar if name else None, help_behavior_hint=hint)]


def _holds_tuple(kind: Any) -> bool:
    """Whether a type, whatever its annotations, is a tuple."""
    inner = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    return get_origin(inner) is tuple or (inner is not kind and _holds_tuple(inner))


def hint(default: str) -> str:
    """What ``--help`` says of a default; nothing where the option is only off or not given."""
    return "" if default in ("", "None", "False", "True") else f"(default: {default})"


@dataclass(frozen=True)
class Parameter:
    """What a verb accepts.

    Attributes:
        flag: ``--name``; unused where it is positional.
        positional: it has no flag.
        takes_value: a word follows the flag, or several.
        metavar: name of its values; None for choices and switches.
        choices: the only possible values; empty where there are others.
    """

    flag: str
    positional: bool
    takes_value: bool
    metavar: str | None
    choices: tuple[str, ...]


def parameters(command: type[Any], prefix: str = "") -> Iterator[Parameter]:
    """The parameters of a verb's dataclass, those of nested dataclasses after a dot."""
    hints = get_type_hints(command, include_extras=True)
    for option in fields(command):
        kind = hints[option.name]
        if is_dataclass(kind):
            yield from parameters(kind, f"{prefix}{option.name}.")
        else:
            yield _parameter(kind, option, prefix)


def _parameter(kind: Any, option: Field[Any], prefix: str) -> Parameter:
    marks = _annotations(kind)
    named = next((mark.name for mark in marks if getattr(mark, "name", None)), option.name)
    switch = isinstance(option.default, bool)
    name = f"no-{named}" if option.default is True else named
    return Parameter(
        flag=f"--{prefix}{name}".replace("_", "-"),
        positional=POSITIONAL in marks,
        takes_value=not switch,
        metavar=metavar_of(kind),
        choices=_choices(kind),
    )


def _annotations(kind: Any) -> tuple[Any, ...]:
    return getattr(kind, "__metadata__", ())


def _choices(kind: Any) -> tuple[str, ...]:
    """The values of a ``Literal``, also where it may be None."""
    if get_origin(kind) is Literal:
        return tuple(map(str, get_args(kind)))
    return next(filter(None, map(_choices, get_args(kind))), ())
