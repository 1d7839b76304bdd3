"""The graph: its checks, its bytes."""

from __future__ import annotations

import msgspec
import pytest

from icm_ray.errors import ProgramError
from icm_ray.network.graph import Graph
from icm_ray.network.layers import LAYERS, Add, Conv, Flatten, Linear, Pad, Relu, kind_of
from icm_ray.network.layers.windows import ceil_padding, windows
from icm_ray.network.model import PublicModel
from icm_ray.network.passes import drop_unused, moves_first
from icm_ray.network.programs import WeightLoad, decode_model_question, encode_model_question
from icm_ray.network.scheme import Scheme


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
    return Graph((conv, relu, flat, head), (1, 4, 4), "linear_1")


def _payload(graph: Graph) -> bytes:
    return encode_model_question(
        WeightLoad(model=PublicModel(graph, Scheme(16, 3, 8), 0.5), version="1", owner="alice")
    )


def test_a_graph_comes_back_from_its_bytes() -> None:
    graph = _graph()
    assert decode_model_question(_payload(graph)).model.graph == graph
    assert graph.weight_shapes() == {"conv_1.weight": (2, 1, 2, 2), "conv_1.bias": (2,), "linear_1.weight": (4, 18)}


def test_readers() -> None:
    graph = _graph()
    assert graph.consumers()["relu_1"] == ("flatten_1",)
    assert graph.consumers()["linear_1"] == ("",)
    assert graph.output_shape == (4,)


def _broken(change: str) -> bytes:
    question = msgspec.msgpack.decode(_payload(_graph()))
    structure = question["model"]["graph"]
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
        case "reads nothing":
            relu["inputs"] = []
        case "deep":
            conv["bias"] = [[]]
            for _ in range(200):
                conv["bias"] = [conv["bias"]]
        case "data":
            conv["bias"] = b"x"
        case "nothing":
            structure.clear()
    return msgspec.msgpack.encode(question)


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
        "reads nothing",
        "deep",
        "data",
        "nothing",
    ],
)
def test_a_malformed_structure_is_refused(change: str) -> None:
    with pytest.raises(ProgramError):
        decode_model_question(_broken(change))


def test_inputs_must_fit_the_kind() -> None:
    for node in (
        Add(name="a", module="", inputs=("input",), shape=(4,)),
        Relu(name="a", module="", inputs=("input", "input"), shape=(4,)),
        Pad(name="a", module="", inputs=("input",), shape=(6,), pads=((1, 1), (0, 0))),
    ):
        with pytest.raises(ProgramError):
            Graph((node,), (4,), "a")


def test_every_kind_has_a_name() -> None:
    assert len({kind_of(taken) for taken in LAYERS}) == len(LAYERS)


def test_ceil_padding_makes_the_windows_of_ceil_mode() -> None:
    assert ceil_padding(5, 2, 2, (0, 0), 1) == (0, 1)
    assert ceil_padding(4, 2, 2, (0, 0), 1) == (0, 0)
    assert windows(5, 2, 2, ceil_padding(5, 2, 2, (0, 0), 1), 1) == 3


def test_unused_nodes_are_dropped() -> None:
    graph = _graph()
    extra = Relu(name="extra", module="", inputs=("relu_1",), shape=(2, 3, 3))
    assert drop_unused(Graph((*graph.nodes, extra), graph.input_shape, graph.output)) == graph


def test_what_moves_values_stands_right_behind_them() -> None:
    def node(kind: type[Relu | Flatten | Add], name: str, *inputs: str) -> Relu | Flatten | Add:
        return kind(name=name, module="", inputs=inputs, shape=(16,))

    nodes = (
        node(Flatten, "flat", "input"),
        node(Relu, "one", "flat"),
        node(Relu, "other", "one"),
        node(Flatten, "behind one", "one"),
        node(Flatten, "behind that", "behind one"),
        node(Flatten, "too", "one"),
        node(Add, "sum", "too", "other"),
        node(Flatten, "last", "sum"),
    )
    found = moves_first(Graph(nodes, (16,), "last"))
    names = [node.name for node in found.nodes]
    assert names == ["flat", "one", "too", "behind one", "behind that", "other", "sum", "last"]
