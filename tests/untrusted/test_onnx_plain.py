"""Only plainly written ONNX files are read, and those of exporters are."""

import io
import random
import tracemalloc
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import evil_protobuf as bent
from evil_protobuf import BYTES, VARINT, Bent, Node
from onnx_models import linear, onnx
from onnx_views import parsed, view_of
from sb3_models import make_model

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal
from proxylab.untrusted.onnx_model import check_model
from proxylab.untrusted.onnx_schema import DIM, MODEL, SCHEMA, SHAPE, TENSOR_TYPE
from proxylab.untrusted.protobuf import DROPPED, RAW, REFUSED

CORES = {
    5: "int32",
    14: "int32",  # an enumeration
    3: "int64",
    4: "uint64",
    2: "float",
    1: "double",
    9: "string",
    12: "bytes",
}
"""``FieldDescriptor.type``: kind of ours; 11 is a message."""


def descriptors(kind=MODEL, descriptor=onnx.ModelProto.DESCRIPTOR):
    """(kind, field of ours, field of the package onnx) of all fields that are read."""
    for number, theirs in descriptor.fields_by_number.items():
        ours = SCHEMA[kind].get(number)
        yield kind, number, ours, theirs
        if ours and ours.kind in SCHEMA:
            yield from descriptors(ours.kind, theirs.message_type)


def test_the_table_is_that_of_onnx():
    seen = set()
    for kind, number, ours, theirs in descriptors():
        seen.add(kind)
        assert ours, f"{kind}.{theirs.name} stands in no row"
        if ours.kind == REFUSED:
            continue
        assert (ours.name, ours.many) == (theirs.name, theirs.is_repeated), (kind, number)
        if ours.kind != DROPPED:
            assert ours.packed == theirs.is_packed, (kind, number)
            assert CORES.get(theirs.type, ours.kind) == ours.kind, (kind, number)
            assert (theirs.type == 11) == (ours.kind in SCHEMA), (kind, number)
    assert seen == set(SCHEMA) >= {SHAPE, DIM, TENSOR_TYPE}
    assert RAW in {field.kind for fields in SCHEMA.values() for field in fields.values()}


def exported(net, given, opset):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"input_names": ["obs"], "output_names": ["logits"], "opset_version": opset}
        torch.onnx.export(net.eval(), given, out, dynamo=False, **options)
    return out.getvalue()


def planes():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(128, 4),
        torch.nn.LayerNorm(4),
    )


class OfSb3(torch.nn.Module):
    """What SB3's documentation exports: the policy's network, as logits."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def forward(self, observations):
        features = self.policy.extract_features(observations.float())
        return self.policy.action_net(self.policy.mlp_extractor.forward_actor(features))


def nets():
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(243, 8), torch.nn.Tanh())
    return {
        "flat": flat,
        "planes": planes(),
        "sb3": OfSb3(make_model("maze-corner", policy_kwargs={"net_arch": [8]}).policy),
    }


@pytest.mark.parametrize("name", ["flat", "planes", "sb3"])
@pytest.mark.parametrize("opset", [11, 17])
def test_what_torch_exports(name, opset):
    import onnxruntime

    net, given = nets()[name], torch.rand(2, 3, 9, 9)
    raw = exported(net, given, opset)
    encoded = check_model(raw).encoded()
    assert view_of(parsed(encoded)) == view_of(parsed(raw))
    (found,) = onnxruntime.InferenceSession(encoded).run(None, {"obs": given.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, net(given), atol=1e-5)


def test_a_large_tensor_is_copied_once():
    """Weights of 8 MiB are read where they lie, and written in one piece."""
    raw = linear(2048, 1024)[0]
    tracemalloc.start()
    try:
        encoded = check_model(raw).encoded()
        assert tracemalloc.get_traced_memory()[1] < 1.2 * len(raw)
    finally:
        tracemalloc.stop()
    assert encoded == raw  # nothing in it was left out


def made(change):
    model = Bent(linear(6, 4)[0], random.Random(0))
    change(model)
    return bent.encode(model.tree)


def first(model, name):
    return next(node for _, node in bent.flat(model.tree) if node.name == name)


def within(name, *nodes):
    return lambda model: first(model, name).value.extend(nodes)


def padded(part):
    def change(model):
        first(model, "NodeProto").pads[part] = 1

    return change


def long_number(model):
    next(n for _, n in bent.flat(model.tree) if n.wire == VARINT).pads[2] = 1


ODD = {
    "a tag of 33 bits": (
        within("NodeProto", Node(4, BYTES, b"Loop", high=1 << 34)),
        "a tag of more than 32 bits",
    ),
    "a long tag": (padded(0), "more bytes than it needs"),
    "a long length": (padded(1), "more bytes than it needs"),
    "a long number": (long_number, "more bytes than it needs"),
    "a number of 70 bits": (within("TensorProto", Node(1, VARINT, 1 << 69)), "more than 64 bits"),
    "a type of 33 bits": (
        lambda model: setattr(
            next(n for n in first(model, "TensorProto").value if n.number == 2),
            "value",
            1 + (1 << 32),
        ),
        "more than 32 bits",
    ),
    "an operator twice": (within("NodeProto", Node(4, BYTES, b"Relu")), "op_type .* comes twice"),
    "an unknown field": (within("GraphProto", Node(99, BYTES, b"x")), "field 99 of graph"),
    "a number as operator": (within("NodeProto", Node(7, VARINT, 1)), "domain is of the wrong"),
    "sides packed and not": (within("TensorProto", Node(1, BYTES, b"\1")), "is packed and is not"),
    "a group": (within("NodeProto", Node(4, 3, None)), "unknown wire type"),
    "field 0": (within("NodeProto", Node(0, BYTES, b"")), "no ONNX model"),
    "data twice": (
        within("TensorProto", Node(4, BYTES, b"\0" * 4)),
        "holds its data twice",
    ),
    "a zero byte": (within("NodeProto", Node(1, BYTES, b"a\0b")), "holds a zero byte"),
    "no UTF-8": (within("NodeProto", Node(1, BYTES, b"\xed\xa0\x80")), "no text in UTF-8"),
    "a side twice over": (
        within("Dimension", Node(1, VARINT, 1), Node(2, BYTES, b"N")),
        "comes twice|a number and a name",
    ),
    "an operator set too many": (
        lambda model: model.tree.append(bent.message(8, onnx.helper.make_opsetid("ai.onnx", 9))),
        "the operator set comes twice",
    ),
    "two tensors of one name": (
        lambda model: first(model, "GraphProto").value.append(first(model, "TensorProto")),
        "have the same name",
    ),
    "a tensor of texts": (within("TensorProto", Node(6, BYTES, b"x")), "a tensor of texts"),
    "more parts than the limit": (
        within("TensorProto", Node(7, BYTES, b"\0" * (LIMITS.onnx_parts + 1))),
        "more parts than the limit",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_written_oddly(name):
    change, complaint = ODD[name]
    with pytest.raises(Refusal, match=complaint):
        check_model(made(change))


def test_nothing_but_the_change_is_odd():
    """Control: unchanged, the tree gives the model; packed sides alone are read."""
    assert made(lambda model: None) == linear(6, 4)[0]

    def pack(model):
        fields = first(model, "TensorProto").value
        sides = [node for node in fields if node.number == 1]
        fields[:] = [node for node in fields if node.number != 1]
        fields.append(Node(1, BYTES, bytes(node.value for node in sides)))

    assert check_model(made(pack)).encoded() == check_model(linear(6, 4)[0]).encoded()


def test_descriptions_and_metadata_do_not_reach_the_runtime():
    """ONNX Runtime can take settings of a session from a model's metadata."""
    model = onnx.load_from_string(linear(6, 4)[0])
    model.metadata_props.add(key="ort_config", value='{"session_options": {}}')
    model.doc_string = model.graph.doc_string = "x"
    encoded = check_model(model.SerializeToString()).encoded()
    assert not parsed(encoded).metadata_props
    assert b"ort_config" not in encoded
