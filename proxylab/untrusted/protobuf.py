"""A strict protobuf reader that accepts only the canonical encoding of a message.

The wire format allows many encodings of one message, and parsers disagree about the unusual
ones: a tag beyond 32 bits, a number in more bytes than it needs, a message in two parts.
:class:`Reader` accepts only the fields of a table, in canonical encoding, and :func:`encode`
encodes the parsed message again. Those bytes contain nothing else.
"""

import struct
from array import array
from dataclasses import dataclass, field
from typing import Any, NoReturn

from proxylab.untrusted.confined import Refusal

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
INT32, INT64, UINT64, FLOAT, DOUBLE = "int32", "int64", "uint64", "float", "double"
STRING, RAW = "string", "bytes"
DROPPED = "dropped"
"""Kind of a field that is allowed, but is neither read nor encoded again."""
REFUSED = "refused"
"""Kind of a field that is not allowed; its name describes it in messages."""

WIRES = {INT32: VARINT, INT64: VARINT, UINT64: VARINT, FLOAT: FIXED32, DOUBLE: FIXED64}
"""Kinds of numbers, of which a repeated field may hold many in one piece (packed)."""
FORMATS = {FLOAT: "<f", DOUBLE: "<d"}
INT32_RANGE = range(-(1 << 31), 1 << 31)


@dataclass(frozen=True)
class Field:
    """One field of a message.

    Attributes:
        name: of the field.
        kind: one of the kinds above, or the name of another message.
        many: whether it is repeated.
        packed: whether its numbers are written in one piece.
    """

    name: str
    kind: str
    many: bool = False
    packed: bool = False


@dataclass(frozen=True)
class Message:
    """A parsed message.

    Attributes:
        kind: its name in the schema.
        values: {name of a field: its values}; int, str, memoryview or Message in a list,
            floats in an array.
    """

    kind: str
    values: "dict[str, list[Any] | array[float]]" = field(default_factory=dict)

    def all(self, name: str) -> Any:
        """All values of a field."""
        return self.values.get(name, [])

    def one(self, name: str, default: Any = None) -> Any:
        """The value of a field that is not repeated, or ``default``."""
        return (self.values.get(name) or [default])[-1]


def odd(what: str) -> NoReturn:
    """Refuse an encoding that two parsers could read differently."""
    raise Refusal(f"the model is not written plainly: {what}")


class Reader:
    """Reads messages by a schema and limits the number of their parts.

    Attributes:
        schema: {name of a message: {field number: :class:`Field`}}.
        max_parts: largest number of fields and repeated numbers, all messages together.
    """

    def __init__(self, schema: dict[str, dict[int, Field]], max_parts: int) -> None:
        self.schema, self.max_parts = schema, max_parts
        self._parts = 0

    def message(self, view: memoryview, kind: str) -> Message:
        """The message ``kind`` in ``view``; ``Refusal`` where it is damaged or not canonical."""
        message, wires, position = Message(kind), {}, 0
        while position < len(view):
            number, wire, value, position = self._field(view, position)
            spec = self.schema[kind].get(number)
            if spec is None:
                odd(f"field {number} of {kind} is unknown")
                continue  # reached where the control of the fuzz lets odd files pass
            if spec.kind == REFUSED:
                raise Refusal(f"the model holds {spec.name}, which is not read")
            if not spec.many and spec.name in message.values:
                odd(f"{spec.name} of {kind} comes twice")
            if spec.many and wires.setdefault(number, wire) != wire:
                odd(f"{spec.name} of {kind} is packed and is not")
            values = self._values(spec, wire, value)
            empty = _floats(spec.kind) if spec.kind in FORMATS else []
            message.values.setdefault(spec.name, empty).extend(values)
        return message

    def _field(self, view: memoryview, position: int) -> tuple[int, int, int | memoryview, int]:
        """(number, wire type, int or memoryview, position after it) of one field."""
        self._count()
        tag, position = _varint(view, position)
        number, wire = tag >> 3, tag & 7
        if not number:
            raise Refusal("this is no ONNX model, or it is truncated")
        if tag >> 32:
            odd("a tag of more than 32 bits")
        if wire == VARINT:
            return number, wire, *_varint(view, position)
        if wire not in (BYTES, FIXED64, FIXED32):
            raise Refusal("this is no ONNX model (an unknown wire type)")
        length = 8 if wire == FIXED64 else 4
        if wire == BYTES:
            length, position = _varint(view, position)
        if length > len(view) - position:
            raise Refusal("this is no ONNX model, or it is truncated")
        return number, wire, view[position : position + length], position + length

    def _count(self) -> None:
        self._parts += 1
        if self._parts > self.max_parts:
            raise Refusal(f"more parts than the limit of {self.max_parts:,}")

    def _values(self, spec: Field, wire: int, value: Any) -> list[Any] | array:
        """The values of one occurrence of a field."""
        kind = spec.kind
        if kind in WIRES and spec.many and wire == BYTES:
            return self._unpacked(kind, value)
        if wire != WIRES.get(kind, BYTES):
            odd(f"{spec.name} is of the wrong type")
            return []  # as above
        if kind in self.schema:
            return [self.message(value, kind)]
        if kind == STRING:
            return [_text(spec, value)]
        return [] if kind == DROPPED else [_number(kind, value)]

    def _unpacked(self, kind: str, view: memoryview) -> list[int] | array:
        if kind in FORMATS:
            if len(view) % struct.calcsize(FORMATS[kind]):
                raise Refusal("this is no ONNX model, or it is truncated")
            numbers = _floats(kind)
            numbers.frombytes(view)
            return numbers
        numbers, position = [], 0
        while position < len(view):
            self._count()
            value, position = _varint(view, position)
            numbers.append(_number(kind, value))
        return numbers


def _floats(kind: str) -> array:
    return array("f") if kind == FLOAT else array("d")


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    """(value below 2**64, position after it)."""
    value = shift = 0
    while position < len(view) and shift < 70:
        octet = view[position]
        value |= (octet & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if octet < 0x80:
            if not octet and shift > 7:
                odd("a number in more bytes than it needs")
            if value >> 64:
                odd("a number of more than 64 bits")
            return value, position
    raise Refusal("this is no ONNX model, or it is truncated")


def _number(kind: str, value: Any) -> Any:
    """The number that an encoded value stands for; bytes are returned unchanged."""
    if kind in FORMATS:
        return struct.unpack(FORMATS[kind], value)[0]
    if kind in (INT32, INT64) and value >> 63:
        value -= 1 << 64
    if kind == INT32 and value not in INT32_RANGE:
        odd("a number of more than 32 bits")
    return value


def _text(spec: Field, view: memoryview) -> str:
    try:
        text = str(view, "utf-8")
    except UnicodeDecodeError:
        raise Refusal(f"{spec.name} is no text in UTF-8") from None
    if "\0" in text:
        odd(f"{spec.name} holds a zero byte")
    return text


def encode(message: Message, schema: dict[str, dict[int, Field]]) -> bytes:
    """The canonical encoding of a message: its fields in the order of their numbers."""
    pieces = []
    _write(message, schema, pieces)
    return b"".join(pieces)


def _write(message: Message, schema: dict[str, dict[int, Field]], pieces: list[Any]) -> int:
    """Append the encoded pieces of a message; returns their length in bytes."""
    size = 0
    for number, spec in sorted(schema[message.kind].items()):
        values = message.values.get(spec.name)
        if not values or spec.kind in (DROPPED, REFUSED):
            continue
        if not spec.many:
            values = values[-1:]  # the one that ``Message.one`` gives
        if spec.packed:
            values = [_in_one_piece(spec.kind, values)]
        wire = BYTES if spec.packed else WIRES.get(spec.kind, BYTES)
        for value in values:
            size += _write_field(number << 3 | wire, spec, value, schema, pieces)
    return size


def _write_field(
    tag: int, spec: Field, value: Any, schema: dict[str, dict[int, Field]], pieces: list[Any]
) -> int:
    inner, head = [], [_varint_bytes(tag)]
    if spec.kind in schema:
        length = _write(value, schema, inner)
    else:
        inner = [value if spec.packed else _plain(spec.kind, value)]
        length = len(inner[0])
    if tag & 7 == BYTES:
        head.append(_varint_bytes(length))
    pieces += head + inner
    return sum(map(len, head)) + length


def _in_one_piece(kind: str, values: Any) -> bytes:
    if kind in FORMATS:
        return values.tobytes()
    return b"".join(_plain(kind, value) for value in values)


def _plain(kind: str, value: Any) -> bytes | memoryview:
    """The encoding of a value other than a message, without tag and length."""
    if kind in FORMATS:
        return struct.pack(FORMATS[kind], value)
    if kind in WIRES:
        return _varint_bytes(value & (1 << 64) - 1)
    return value.encode() if kind == STRING else value


def _varint_bytes(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
