"""ONNX suspects: the numbers of the model, in a process of its own, and nothing but networks."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from evil_onnx import changed, external
from onnx_models import OPSET, constant, helper, linear, model_bytes, onnx

from proxylab.agents.references import load_agent, load_agents
from proxylab.cli import main
from proxylab.errors import AgentError
from proxylab.untrusted import onnx_policy
from proxylab.untrusted.confined import Refusal
from proxylab.untrusted.onnx_model import check_model
from proxylab_envs.maze_corner import MazeCorner

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
SIZE, ACTIONS = 243, 4


@pytest.fixture
def env():
    made = MazeCorner(7)
    made.reset()
    return made


def written(tmp_path, raw, name="suspect.onnx"):
    (tmp_path / name).write_bytes(raw)
    return tmp_path / name


def wanted(env, weight, bias):
    """The probabilities that NumPy gets from the same weights, in float64."""
    logits = env.observe().reshape(env.num_envs, -1).astype(float) @ weight + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"softmax": True, "output": "out"},
        {"batch": 3, "shape": [3, 9, 9], "output": "out"},
    ],
    ids=["logits", "softmax", "fixed batch, planes"],
)
def test_the_model_s_numbers(tmp_path, env, options):
    raw, weight, bias = linear(SIZE, ACTIONS, **options)
    policy = load_agent(written(tmp_path, raw))
    np.testing.assert_allclose(
        policy.probabilities(env, np.arange(7)), wanted(env, weight, bias), atol=1e-6
    )
    some = policy.probabilities(env, np.array([5, 2]))
    np.testing.assert_allclose(some, wanted(env, weight, bias)[[5, 2]], atol=1e-6)


def test_a_model_that_names_its_action(tmp_path, env):
    raw, weight, bias = linear(SIZE, ACTIONS, output="scores")
    model = onnx.load_from_string(raw)
    model.graph.node.append(helper.make_node("ArgMax", ["scores"], ["action"], axis=1, keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("action", INT64, ["N"]))
    policy = load_agent(written(tmp_path, model.SerializeToString()))
    best = wanted(env, weight, bias).argmax(axis=1)
    np.testing.assert_array_equal(policy.probabilities(env, np.arange(7)), np.eye(4)[best])


def test_more_rows_than_a_request_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_policy, "MAX_ROWS", 3)
    raw, weight, bias = linear(SIZE, ACTIONS)
    env = MazeCorner(8)
    env.reset()
    found = load_agent(written(tmp_path, raw)).probabilities(env, np.arange(8))
    np.testing.assert_allclose(found, wanted(env, weight, bias), atol=1e-6)


def test_detect_takes_an_onnx_suspect(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    path = written(tmp_path, linear(SIZE, ACTIONS)[0])
    trusted = [f"zoo:maze-corner/trusted-{n:02d}" for n in range(6)]
    options = ["--task", "maze-corner", "--episodes", "8", "--json"]
    assert main(["detect", str(path), "--trusted", *trusted, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["suspects"][0]["agent"] == str(path)


def test_a_pattern_names_several(tmp_path):
    raw = linear(SIZE, ACTIONS)[0]
    paths = [written(tmp_path, raw, f"seed-{n}.onnx") for n in (2, 10)]
    assert [p.name for p in load_agents(tmp_path / "*.onnx")] == [str(p) for p in paths]


# What is refused


def line_of(call, *arguments):
    with pytest.raises(AgentError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_of_another_size(tmp_path, env):
    wide = load_agent(written(tmp_path, linear(24, ACTIONS)[0], "wide.onnx"))
    assert "its input is [24]" in line_of(wide.probabilities, env, np.arange(2))
    many = load_agent(written(tmp_path, linear(SIZE, 7)[0], "many.onnx"))
    assert "it gives 7 numbers an observation" in line_of(many.probabilities, env, np.arange(2))


def test_numbers_that_are_no_distribution(tmp_path, env):
    for value, complaint in ((np.nan, "NaN"), (2.0, "no distribution")):
        name = "probabilities"
        node = helper.make_node("Expand", ["c", "shape"], [name])
        flat = helper.make_node("Shape", ["obs"], ["all"])
        first = helper.make_node("Slice", ["all", "zero", "one"], ["n"])
        joined = helper.make_node("Concat", ["n", "actions"], ["shape"], axis=0)
        raw = model_bytes(
            [flat, first, joined, node],
            [("obs", FLOAT, ["N", SIZE])],
            [(name, FLOAT, ["N", ACTIONS])],
            [
                constant("c", np.float32([value])),
                constant("zero", np.int64([0])),
                constant("one", np.int64([1])),
                constant("actions", np.int64([ACTIONS])),
            ],
        )
        policy = load_agent(written(tmp_path, raw))
        assert complaint in line_of(policy.probabilities, env, np.arange(2))


def other_domain(model):
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    model.graph.node[0].domain = "com.evil"


def with_subgraph(model):
    model.graph.node[1].attribute.append(helper.make_attribute("body", model.graph))


def with_function(model):
    function = helper.make_function("", "Gemm", ["a"], ["b"], [], opset_imports=OPSET)
    model.functions.append(function)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (external, "lies in another file"),
        (other_domain, "the domain 'com.evil'"),
        (with_subgraph, "a graph within a node"),
        (with_function, "functions of its own"),
        (lambda m: m.graph.node.add(op_type="Loop"), "the operator 'Loop'"),
        (lambda m: m.graph.node.add(op_type="RandomNormal"), "the operator 'RandomNormal'"),
        (lambda m: m.graph.sparse_initializer.add(), "sparse tensors"),
        (lambda m: m.graph.initializer[0].dims.extend([1 << 20, 1 << 19]), "is over the limit"),
        (lambda m: m.graph.initializer[0].dims.extend([1] * 20), "impossible shape"),
        (lambda m: m.ClearField("graph"), "holds no graph"),
    ],
)
def test_what_is_no_plain_network(change, complaint):
    with pytest.raises(Refusal, match=complaint):
        check_model(changed(change))


def test_a_part_given_twice_hides_nothing():
    """Protobuf merges a message that comes twice, so neither copy is taken."""
    good = linear(SIZE, ACTIONS)[0]
    bad = onnx.ModelProto()
    bad.graph.node.add(op_type="Loop")
    for raw in (good + bad.SerializeToString(), bad.SerializeToString() + good):
        assert onnx.load_from_string(raw).graph.node  # it is a model to protobuf
        with pytest.raises(Refusal, match="graph of model comes twice"):
            check_model(raw)


def test_files_that_are_none(tmp_path):
    good = linear(SIZE, ACTIONS)[0]
    for raw in (
        b"",
        b"\x80\x04pickle",
        b"@\n",
        good[:-100],
        b"\x00" * 40,
        b"\x08\x08ABORTM" + good,
    ):
        with pytest.raises(Refusal):
            check_model(raw)
    assert "no graph" in line_of(load_agent, written(tmp_path, b""))
    assert "cannot be read" in line_of(load_agent, tmp_path / "none.onnx")


def test_a_model_that_asks_for_too_much_memory(tmp_path, env):
    """2**37 bytes: more than the confined process may take, whatever the machine has."""
    shape = np.int64([1 << 17, 1 << 18])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"]),
        helper.make_node("Flatten", ["obs"], ["flat"]),
        helper.make_node("Add", ["flat", "sum"], ["logits"]),
    ]
    inputs, outputs = [("obs", FLOAT, ["N", SIZE])], [("logits", FLOAT, ["N", SIZE])]
    raw = model_bytes(nodes, inputs, outputs, [constant("shape", shape)])

    def load_and_run():
        load_agent(written(tmp_path, raw)).probabilities(env, np.arange(2))

    assert "MiB of memory" in line_of(load_and_run)
