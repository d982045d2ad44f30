"""ONNX models bent at the level of protobuf: odd tags, numbers, orders, hidden parts.

A model becomes a tree of :class:`Node`, the mutations of ``MUTATIONS`` change it, and
``encode`` writes it as the tree says, however wrong that is.
"""

from dataclasses import dataclass, field

from onnx_models import constant, helper, linear, model_bytes, onnx

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
NODES, NODE_OP, NODE_ATTRIBUTE, NODE_DOMAIN, GRAPH_FIELD, OPSETS = 1, 4, 5, 7, 7, 8
FORBIDDEN = ("Loop", "If", "Scan", "RandomNormal", "RandomUniform", "StringConcat", "ImageDecoder")


@dataclass
class Node:
    """A field as it is written.

    Attributes:
        number: of the field.
        wire: its wire type.
        value: int, bytes, or a list of Node.
        high: bits added to the tag above its 32nd.
        pads: bytes too many in the (tag, length, value).
        name: full name of the message that it holds, or an empty text.
    """

    number: int
    wire: int
    value: object
    high: int = 0
    pads: list = field(default_factory=lambda: [0, 0, 0])
    name: str = ""


def varint(value, pad=0):
    octets = []
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    if pad:
        octets[-1] |= 0x80
        octets += [0x80] * (pad - 1) + [0]
    return bytes(octets)


def encode(tree):
    """The bytes of a list of Node."""
    out = []
    for node in tree:
        tag, length, number = node.pads
        out.append(varint((node.number << 3 | node.wire) + node.high, tag))
        if node.wire == VARINT:
            out.append(varint(node.value, number))
        elif node.wire == BYTES:
            raw = encode(node.value) if isinstance(node.value, list) else node.value
            out += [varint(len(raw), length), raw]
        elif isinstance(node.value, bytes):
            out.append(node.value)
    return b"".join(out)


def read_varint(raw, position):
    value = shift = 0
    while True:
        octet = raw[position]
        value |= (octet & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if octet < 0x80:
            return value, position


def tree_of(raw, descriptor=onnx.ModelProto.DESCRIPTOR):
    """The list of Node of a sound message."""
    tree, position = [], 0
    while position < len(raw):
        tag, position = read_varint(raw, position)
        number, wire, inner = tag >> 3, tag & 7, descriptor.fields_by_number[tag >> 3].message_type
        if wire == VARINT:
            value, position = read_varint(raw, position)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if size is None:
                size, position = read_varint(raw, position)
            value, position = raw[position : position + size], position + size
        value = tree_of(value, inner) if inner else value
        tree.append(Node(number, wire, value, name=inner.name if inner else ""))
    return tree


def message(number, proto):
    """A Node that holds a message of the package onnx."""
    return Node(
        number,
        BYTES,
        tree_of(proto.SerializeToString(), proto.DESCRIPTOR),
        name=proto.DESCRIPTOR.name,
    )


def flat(tree):
    """(list it is in, Node) of every field at every depth."""
    for node in tree:
        yield tree, node
        if isinstance(node.value, list):
            yield from flat(node.value)


HIGH = (32, 33, 34, 34, 35, 40, 62)
"""Bits of a tag; ONNX Runtime's parser ignores the first three, others refuse the file."""


def bases():
    """Legal models, as bytes."""
    nodes = [
        helper.make_node("Conv", ["obs", "k"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["c"], ["d"], alpha=0.5),
        helper.make_node("Constant", [], ["h"], value=constant("v", [1.5])),
        helper.make_node("Cast", ["h"], ["h32"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["d", "h32"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["logits"], axis=1),
    ]
    kernel = helper.make_tensor("k", onnx.TensorProto.FLOAT, [4, 3, 3, 3], [0.25] * 108)
    shapes = [("obs", 1, ["N", 3, 9, 9])], [("logits", 1, ["N", 4])]
    return [
        linear(6, 4)[0],
        linear(6, 4, softmax=True, batch=2)[0],
        model_bytes(nodes, *shapes, [kernel]),
    ]


class Bent:
    """A model that is changed.

    Attributes:
        rng: ``random.Random``.
        tree: list of Node.
    """

    def __init__(self, raw, rng):
        self.rng, self.tree = rng, tree_of(raw)

    def pick(self, test=lambda node: True):
        """(list, Node) of some field that passes the test."""
        return self.rng.choice([pair for pair in flat(self.tree) if test(pair[1])])

    def inside(self, name):
        """The fields of some message of that name; those of the model for ``ModelProto``."""
        if name == "ModelProto":
            return self.tree
        return self.pick(lambda node: node.name == name)[1].value

    def add(self, name, *nodes):
        """Put fields anywhere into some message."""
        fields = self.inside(name)
        for node in nodes:
            fields.insert(self.rng.randint(0, len(fields)), node)

    def hide(self, node):
        """Write a field so that one parser may know it and another may not."""
        way = self.rng.choice(["plain", "high", "pad", "both"])
        if way in ("high", "both"):
            node.high = 1 << self.rng.choice(HIGH)
        if way in ("pad", "both"):
            node.pads[0] = self.rng.randint(1, 6)
        return node


def forbidden(rng):
    return rng.choice(FORBIDDEN)


def high_tag(bent):
    bent.pick()[1].high = 1 << bent.rng.choice(HIGH)


def padded_tag(bent):
    bent.pick()[1].pads[0] = bent.rng.randint(1, 9)


def padded_length(bent):
    bent.pick(lambda node: node.wire == BYTES)[1].pads[1] = bent.rng.randint(1, 9)


def padded_number(bent):
    bent.pick(lambda node: node.wire == VARINT)[1].pads[2] = bent.rng.randint(1, 9)


def hidden_op(bent):
    """A second operator's name in a node, before or after the sound one."""
    bent.add("NodeProto", bent.hide(Node(NODE_OP, BYTES, forbidden(bent.rng).encode())))


def hidden_sound_op(bent):
    """An operator that may run, in a way that the runtime knows and the checker must not miss."""
    node = bent.pick(lambda node: node.name == "NodeProto")[1]
    node.value.append(Node(NODE_OP, BYTES, b"Relu", high=1 << bent.rng.choice(HIGH)))


def hidden_node(bent):
    node = helper.make_node(forbidden(bent.rng), ["obs"], ["hidden"])
    bent.add("GraphProto", bent.hide(message(NODES, node)))


def hidden_domain(bent):
    bent.add("NodeProto", bent.hide(Node(NODE_DOMAIN, BYTES, b"com.evil")))


def hidden_opset(bent):
    bent.add("ModelProto", bent.hide(message(OPSETS, helper.make_opsetid("com.evil", 1))))


def external(bent):
    entry = onnx.StringStringEntryProto(key="location", value="/etc/passwd")
    location = Node(14, VARINT, bent.rng.choice([1, 1 + (1 << 32), (1 << 64) - 1, 2]))
    bent.add("TensorProto", bent.hide(message(13, entry)), bent.hide(location))


def subgraph(bent):
    graph = helper.make_graph([helper.make_node("Loop", ["a"], ["b"])], "inner", [], [])
    attribute = helper.make_attribute("body", graph)
    if bent.rng.random() < 0.5:
        bent.add("NodeProto", bent.hide(message(NODE_ATTRIBUTE, attribute)))
    else:
        bent.add("AttributeProto", bent.hide(message(bent.rng.choice([6, 11]), graph)))


def function(bent):
    made = helper.make_function("", "Gemm", ["a"], ["b"], [], opset_imports=[])
    bent.add("ModelProto", bent.hide(message(25, made)))


def sparse(bent):
    bent.add("GraphProto", bent.hide(Node(15, BYTES, b"")))


def doubled(bent):
    fields, node = bent.pick()
    fields.insert(bent.rng.randint(0, len(fields)), node)


def split(bent):
    """A message in two parts, which protobuf merges."""
    fields, node = bent.pick(lambda node: isinstance(node.value, list) and len(node.value) > 1)
    cut = bent.rng.randint(1, len(node.value) - 1)
    first, second = node.value[:cut], node.value[cut:]
    where = fields.index(node)
    fields[where : where + 1] = [
        Node(node.number, BYTES, p, name=node.name) for p in (first, second)
    ]


def second_graph(bent):
    graph = onnx.GraphProto()
    graph.node.add(op_type=forbidden(bent.rng))
    bent.add("ModelProto", bent.hide(message(GRAPH_FIELD, graph)))


def unknown(bent):
    number = bent.rng.choice([17, 99, 1000, (1 << 29) - 1, 1 << 29, 19000])
    fields = bent.pick()[0]
    fields.append(Node(number, BYTES, forbidden(bent.rng).encode()))


def field_zero(bent):
    bent.pick()[0].append(Node(0, BYTES, b"x"))


def wrong_wire(bent):
    node = bent.pick(lambda node: not isinstance(node.value, list))[1]
    others = {VARINT: 7, BYTES: b"Loop", FIXED64: b"\1" * 8, FIXED32: b"\1" * 4}
    node.wire = bent.rng.choice([wire for wire in others if wire != node.wire])
    node.value = others[node.wire]


def grouped(bent):
    fields, node = bent.pick()
    where = fields.index(node)
    ends = [Node(node.number, wire, None) for wire in (GROUP, END_GROUP)]
    fields[where : where + 1] = [ends[0], node, ends[1]] if bent.rng.random() < 0.7 else ends[:1]


def packing(bent):
    """``dims`` or ``ints`` in one piece, which both parsers know, alone or beside single ones."""
    name, number = bent.rng.choice([("TensorProto", 1), ("AttributeProto", 8)])
    fields = bent.inside(name)
    single = [n for n in fields if n.number == number and n.wire == VARINT]
    packed = Node(number, BYTES, b"".join(varint(n.value) for n in single))
    fields[:] = [n for n in fields if n not in single or bent.rng.random() < 0.1] + [packed]


def shuffled(bent):
    bent.rng.shuffle(bent.pick()[0])


def both_sides(bent):
    sides = Node(1, VARINT, 3), Node(2, BYTES, b"N")
    bent.add("Dimension", *bent.rng.sample(sides, bent.rng.randint(1, 2)))


def big_number(bent):
    """A number that is another one within 32 bits, or beyond 64."""
    node = bent.pick(lambda node: node.wire == VARINT and isinstance(node.value, int))[1]
    node.value += bent.rng.choice([1 << 32, 1 << 40, 1 << 63, 1 << 64, 1 << 69])


def second_value(bent):
    """Another value in an attribute, or another type of it."""
    tensor = message(5, constant("v", [1.0]))
    values = (
        Node(3, VARINT, 7),
        Node(4, BYTES, b"s"),
        tensor,
        Node(20, VARINT, 5),
        Node(8, VARINT, 1),
    )
    bent.add("AttributeProto", bent.rng.choice(values))


def odd_text(bent):
    node = bent.pick(lambda node: node.wire == BYTES and isinstance(node.value, bytes))[1]
    node.value = bent.rng.choice(
        [b"Relu\0Loop", b"\xed\xa0\x80", b"\xff", b"\0", node.value + b"\0"]
    )


def second_name(bent):
    bent.add("TensorProto", Node(8, BYTES, b"w"))


def removed(bent):
    fields, node = bent.pick()
    fields.remove(node)


MUTATIONS = (
    *(high_tag, padded_tag, padded_length, padded_number, hidden_op, hidden_node, hidden_domain),
    *(
        hidden_sound_op,
        hidden_opset,
        external,
        subgraph,
        function,
        sparse,
        doubled,
        split,
        second_graph,
        unknown,
    ),
    *(field_zero, wrong_wire, grouped, packing, shuffled, both_sides, big_number, second_value),
    *(odd_text, second_name, removed),
)
"""Each takes a :class:`Bent` and changes it."""


def mutated(raw, rng):
    """The bytes of a model changed once to three times, and the names of the changes."""
    bent, names = Bent(raw, rng), []
    for mutation in rng.choices(MUTATIONS, k=rng.choice([1, 1, 2, 3])):
        try:
            mutation(bent)
        except IndexError:  # nothing there that it could change
            continue
        names.append(mutation.__name__)
    out = encode(bent.tree)
    if rng.random() < 0.1:
        where = rng.randrange(len(out) or 1)
        out = rng.choice([out[:where], out + b"\1", out[:where] + b"\x80" + out[where:]])
        names.append("bytes")
    return out, names
