"""Evil ONNX files."""

import os

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


def slow():
    """Two hundred products of matrices 3000 wide: minutes of one core."""
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{k}", "m0"], [f"m{k + 1}"]) for k in range(200)]
    nodes += [helper.make_node("Identity", ["m200"], ["cost"])]
    return costly(nodes, [constant("shape", np.int64([3000, 3000]))])


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
