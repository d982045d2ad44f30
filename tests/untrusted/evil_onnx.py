"""Evil ONNX files."""

import os
import random

import evil_protobuf
import numpy as np
from onnx_models import constant, helper, linear, model_bytes, onnx

FLOAT = onnx.TensorProto.FLOAT
SIZE, ACTIONS = 243, 4


def changed(change):
    model = onnx.load_from_string(linear(SIZE, ACTIONS)[0])
    change(model)
    return model.SerializeToString()


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def looping(model):
    node = helper.make_node("Loop", ["n", "c"], ["out"], body=model.graph)
    model.graph.node.append(node)


def branching(model):
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", model.graph))


def foreign(model):
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    model.graph.node[0].domain = "com.evil"


def costly(nodes, constants):
    """A model whose nodes end with ``cost``, of which the logits take the sum."""
    ending = [
        helper.make_node("ReduceSum", ["cost"], ["sum"], keepdims=0),
        helper.make_node("Gemm", ["obs", "w", "b"], ["free"]),
        helper.make_node("Add", ["free", "sum"], ["logits"]),
    ]
    given = [constant("w", np.zeros((SIZE, ACTIONS), np.float32))]
    given += [constant("b", np.zeros(ACTIONS, np.float32)), *constants]
    inputs, outputs = [("obs", FLOAT, ["N", SIZE])], [("logits", FLOAT, ["N", ACTIONS])]
    return model_bytes([*nodes, *ending], inputs, outputs, given)


def memory_bomb():
    return costly(
        [helper.make_node("ConstantOfShape", ["shape"], ["cost"])],
        [constant("shape", np.int64([1 << 18, 1 << 18]))],
    )


def slow(width=3000, count=200):
    """Products of matrices; two hundred that are 3000 wide take minutes of one core.

    The observation is part of each, so that a runtime cannot compute them once for all.
    """
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["ones"]),
        helper.make_node("ReduceSum", ["obs"], ["now"], keepdims=0),
        helper.make_node("Add", ["ones", "now"], ["m0"]),
    ]
    nodes += [helper.make_node("MatMul", [f"m{k}", "ones"], [f"m{k + 1}"]) for k in range(count)]
    nodes += [helper.make_node("Identity", [f"m{count}"], ["cost"])]
    return costly(nodes, [constant("shape", np.int64([width, width]))])


BENT = (
    *("padded_tag", "padded_length", "padded_number", "hidden_op", "hidden_node", "hidden_domain"),
    *("hidden_sound_op", "hidden_opset", "external", "subgraph", "second_graph", "split"),
    *("unknown", "field_zero", "grouped", "wrong_wire"),
)
"""Mutations of evil_protobuf that leave nothing to be taken."""


def bent_models():
    """{name: bytes} of models whose protobuf is bent in one way each."""
    found = {}
    for name in BENT:
        model = evil_protobuf.Bent(linear(SIZE, ACTIONS)[0], random.Random(name))
        getattr(evil_protobuf, name)(model)
        found[f"bent: {name.replace('_', ' ')}"] = evil_protobuf.encode(model.tree)
    return found


def memory_address(model):
    """ONNX Runtime's own mark for data that lie at an address of its memory."""
    external(model)
    model.graph.initializer[0].external_data[0].value = "*/_ORT_MEM_ADDR_/*"
    model.graph.initializer[0].external_data.add(key="offset", value="140000000000000")


def configured(model):
    """Settings of a session in the metadata, with an operator that is refused."""
    model.metadata_props.add(key="ort_config", value='{"session_options": {"x": "y"}}')
    model.graph.node.add(op_type="MemcpyToHost")


def models(folder, payload):
    """{name: path}."""
    good, bad = linear(SIZE, ACTIONS)[0], onnx.ModelProto()
    bad.graph.node.add(op_type="Loop")
    unnamed = changed(lambda m: m.graph.output.append(m.graph.input[0]))
    raws = {
        "data in another file": changed(external),
        "a loop": changed(looping),
        "a branch": changed(branching),
        "an operator of its own": changed(foreign),
        "a random operator": changed(lambda m: m.graph.node.add(op_type="RandomUniform")),
        "a function": changed(lambda m: m.functions.add(name="f")),
        "sparse weights": changed(lambda m: m.graph.sparse_initializer.add()),
        "a shape of 2**60": changed(lambda m: m.graph.initializer[0].dims.extend([1 << 59])),
        "weights of another shape": changed(lambda m: m.graph.initializer[0].dims.extend([2])),
        "no graph": changed(lambda m: m.ClearField("graph")),
        "a loop in a second copy": good + bad.SerializeToString(),
        "twenty thousand nodes": changed(
            lambda m: [m.graph.node.add(op_type="Relu") for _ in range(20_000)]
        ),
        "inputs that are two": changed(lambda m: m.graph.input.append(m.graph.output[0])),
        "outputs without a name": unnamed.replace(b"logits", b"output"),
        "another observation": linear(7, ACTIONS)[0],
        "another number of actions": linear(SIZE, 9)[0],
        "NaN as weights": changed(
            lambda m: m.graph.initializer[1].CopyFrom(constant("b", np.full(4, np.nan, "f4")))
        ),
        "memory without end": memory_bomb(),
        "time without end": slow(),
        "ONNX Runtime's own format": b"\x08\x08ABORTM" + good,
        "a truncated model": good[:-500],
        "data at an address of memory": changed(memory_address),
        "settings of the runtime": changed(configured),
        "a tensor of texts": changed(lambda m: m.graph.initializer.add(data_type=8, name="t")),
        "a name of control characters": changed(
            lambda m: setattr(m.graph.node[0], "op_type", "\x1b[2J\u202e\n" * 99)
        ),
        "the input as a sequence": changed(
            lambda m: m.graph.input[0].type.sequence_type.elem_type.SetInParent()
        ),
        "seven million numbers one by one": changed(
            lambda m: m.graph.initializer.add(data_type=7, int64_data=[0] * 7_000_000)
        ),
        **bent_models(),
        "noise": bytes(range(256)) * 40,
        "a pickle": payload,
        "nothing": b"",
    }
    found = {}
    for number, (name, raw) in enumerate(raws.items()):
        found[name] = folder / f"model-{number}.onnx"
        found[name].write_bytes(raw)
    found["a gigabyte of nothing"] = folder / "big.onnx"
    found["a gigabyte of nothing"].touch()
    os.truncate(found["a gigabyte of nothing"], 1 << 30)
    return found
