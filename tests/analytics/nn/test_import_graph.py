"""The graph: structure apart from weights, its checks, and its silence."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from analytics.nn.graph import Graph
from analytics.nn.nodes import KINDS, Add, Conv, Flatten, Linear, Node, Pad, Relu, kind_of
from analytics.nn.shapes import ceil_padding, windows
from icm_ray.errors import ProgramError


def _graph() -> Graph:
    conv = Conv(
        name="conv_1",
        module="stem.conv",
        inputs=("input",),
        shape=(2, 3, 3),
        weight="conv_1.weight",
        bias="conv_1.bias",
        kernel=(2, 2),
        stride=(1, 1),
        padding=((0, 0), (0, 0)),
        dilation=(1, 1),
        groups=1,
    )
    relu = Relu(name="relu_1", module="stem.act", inputs=("conv_1",), shape=(2, 3, 3))
    flat = Flatten(name="flatten_1", module="", inputs=("relu_1",), shape=(18,))
    head = Linear(
        name="linear_1", module="head", inputs=("flatten_1",), shape=(4,), weight="linear_1.weight", bias=None
    )
    weights = {
        "conv_1.weight": np.full((2, 1, 2, 2), 0.1234567),
        "conv_1.bias": np.full(2, 0.1234567),
        "linear_1.weight": np.full((4, 18), 0.1234567),
    }
    return Graph((conv, relu, flat, head), (1, 4, 4), "linear_1", weights)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


def test_the_structure_is_plain_and_public() -> None:
    structure = _graph().structure()
    assert all(leaf is None or type(leaf) in (str, int, float, bool) for leaf in _leaves(structure))
    assert structure["weights"] == {"conv_1.weight": [2, 1, 2, 2], "conv_1.bias": [2], "linear_1.weight": [4, 18]}
    assert "0.1234567" not in repr(structure)


def test_a_graph_comes_back_from_its_structure() -> None:
    graph = _graph()
    public = Graph.from_structure(graph.structure())
    assert public == graph
    assert not public.weights
    assert public.weight_shapes() == graph.weight_shapes()
    whole = Graph.from_structure(graph.structure(), graph.weights)
    assert all(np.array_equal(whole.weights[key], graph.weights[key]) for key in graph.weights)


def test_no_weight_is_printed_or_pickled() -> None:
    graph = _graph()
    assert "0.123" not in repr(graph) + str(graph)
    assert "0.123" not in "".join(repr(node) for node in graph.nodes)
    with pytest.raises(TypeError, match="structure"):
        pickle.dumps(graph)


def test_weights_are_read_only() -> None:
    graph = _graph()
    with pytest.raises(ValueError, match="read-only"):
        graph.weights["conv_1.bias"][0] = 1.0
    with pytest.raises(TypeError):
        graph.weights["conv_1.bias"] = np.zeros(2)  # type: ignore[index]


def test_readers() -> None:
    graph = _graph()
    assert graph.consumers()["relu_1"] == ("flatten_1",)
    assert graph.consumers()["linear_1"] == ("",)
    assert graph.output_shape == (4,)


def _broken(change: str) -> dict[str, Any]:
    structure = copy.deepcopy(_graph().structure())
    conv, relu = structure["nodes"][:2]
    match change:
        case "kind":
            conv["kind"] = "exec"
        case "field":
            conv["code"] = "x"
        case "order":
            structure["nodes"][:2] = [relu, conv]
        case "name":
            relu["name"] = "conv_1"
        case "shape":
            relu["shape"] = [2, 3, 4]
        case "stride":
            conv["stride"] = [0, 1]
        case "kernel":
            conv["kernel"] = 3
        case "padding":
            conv["padding"] = [[-1, 0], [0, 0]]
        case "groups":
            conv["groups"] = 0
        case "output":
            structure["output"] = "nowhere"
        case "weights":
            structure["weights"]["conv_1.bias"] = [3]
        case "data":
            conv["bias"] = b"x"
        case "nothing":
            structure = {}
    return structure


@pytest.mark.parametrize(
    "change",
    [
        "kind",
        "field",
        "order",
        "name",
        "shape",
        "stride",
        "kernel",
        "padding",
        "groups",
        "output",
        "weights",
        "data",
        "nothing",
    ],
)
def test_a_malformed_structure_is_refused(change: str) -> None:
    with pytest.raises(ProgramError):
        Graph.from_structure(_broken(change))


def test_weights_that_do_not_fit() -> None:
    graph = _graph()
    with pytest.raises(ProgramError, match="linear_1"):
        Graph(graph.nodes, graph.input_shape, graph.output, {"conv_1.weight": np.zeros((2, 1, 2, 2))})
    weights = {**graph.weights, "conv_1.bias": np.zeros(2, np.float32)}
    with pytest.raises(ProgramError, match="float64"):
        Graph(graph.nodes, graph.input_shape, graph.output, weights)


def test_inputs_must_fit_the_kind() -> None:
    for node in (
        Add(name="a", module="", inputs=("input",), shape=(4,)),
        Relu(name="a", module="", inputs=("input", "input"), shape=(4,)),
        Pad(name="a", module="", inputs=("input",), shape=(6,), pads=((1, 1), (0, 0))),
    ):
        with pytest.raises(ProgramError):
            Graph((node,), (4,), "a")


def test_every_kind_has_a_name() -> None:
    assert all(kind_of(taken) == kind for kind, taken in KINDS.items())
    assert {taken.__name__ for taken in KINDS.values()} == {taken.__name__ for taken in Node.__subclasses__()}


def test_ceil_padding_makes_the_windows_of_ceil_mode() -> None:
    assert ceil_padding(5, 2, 2, (0, 0), 1) == (0, 1)
    assert ceil_padding(4, 2, 2, (0, 0), 1) == (0, 0)
    assert windows(5, 2, 2, ceil_padding(5, 2, 2, (0, 0), 1), 1) == 3


def test_the_graph_needs_no_torch() -> None:
    code = (
        "import sys, analytics.nn.graph, analytics.nn.passes, analytics.nn.findings; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
