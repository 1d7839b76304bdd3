"""A small network with every kind of layer, as all members know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from icm_ray.network import layers
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT, Layer
from icm_ray.network.model import PublicModel
from icm_ray.network.programs import PredictionQuestion, WeightLoad
from icm_ray.network.scheme import Domain, Scheme

PARTIES = ("alice", "bob")


class Chain:
    """Layers one behind another; each takes the one before unless told otherwise."""

    def __init__(self, input_shape: Sequence[int]) -> None:
        self.input_shape = tuple(input_shape)
        self.nodes: list[Any] = []

    def add(self, kind: type[Layer], shape: Sequence[int], inputs: tuple[str, ...] = (), **facts: Any) -> str:
        """The name of the layer."""
        last = self.nodes[-1].name if self.nodes else INPUT
        name = f"{kind.__name__.lower()}_{len(self.nodes)}"
        node = kind(name=name, module=f"secret.path.{name}", inputs=inputs or (last,), shape=tuple(shape), **facts)
        self.nodes.append(node)
        return name

    def graph(self) -> Graph:
        """So far."""
        return Graph(tuple(self.nodes), self.input_shape, self.nodes[-1].name if self.nodes else INPUT)


def every_kind() -> Graph:
    """A graph with every kind of layer, for images (2, 6, 6)."""
    chain, none = Chain((2, 6, 6)), ((0, 0), (0, 0))
    one = ((1, 1), (1, 1))
    conv = {"kernel": (3, 3), "stride": (1, 1), "padding": one, "dilation": (1, 1), "groups": 1}
    first = chain.add(layers.Conv, (4, 6, 6), weight="w0", bias="b0", **conv)
    chain.add(layers.Relu, (4, 6, 6))
    chain.add(layers.Affine, (4, 6, 6), scale="s", shift="t")
    chain.add(layers.Add, (4, 6, 6), (first, chain.nodes[-1].name))
    chain.add(layers.Scale, (4, 6, 6), factor=-0.3)
    chain.add(layers.MaxPool, (4, 3, 3), kernel=(2, 2), stride=(2, 2), padding=none, dilation=(1, 1))
    chain.add(layers.Pad, (4, 5, 5), pads=((0, 0), (1, 1), (1, 1)))
    counts = ((2.0, 3.0, 2.0), (2.0, 3.0, 2.0))
    pool = chain.add(layers.AvgPool, (4, 3, 3), kernel=(3, 3), stride=(2, 2), padding=one, divisor=None, counts=counts)
    chain.add(layers.Relu, (4, 3, 3))
    chain.add(layers.Concat, (8, 3, 3), (pool, chain.nodes[-1].name), axis=0)
    chain.add(layers.Slice, (4, 3, 3), axis=0, start=0, stop=8, step=2)
    chain.add(layers.Permute, (3, 3, 4), axes=(1, 2, 0))
    chain.add(layers.Reshape, (9, 4))
    chain.add(layers.Bent, (9, 4), offset=0.5, slope=0.25, bends=((1.0, -0.1),))
    chain.add(layers.Resample, (9, 3), axis=1, taps=(((0, 1, 2), (0.3, 0.5, 1.0)), ((1, 2, 0), (0.7, 0.5, 0.0))))
    chain.add(layers.Take, (9, 4), axis=1, indices=(2, 0, 0, 1))
    chain.add(layers.Rounded, (9, 4), part="remainder", divisor=3.5)
    taken = chain.add(layers.Smooth, (9, 4), function="tanh")
    elu = chain.add(layers.Elu, (9, 4), alpha=0.5, scale=1.0)
    larger = chain.add(layers.Maximum, (9, 4), (taken, elu))
    chain.add(layers.Multiply, (9, 4), (larger, taken))
    turned = chain.add(layers.Permute, (4, 9), axes=(1, 0))
    chain.add(layers.MatMul, (4, 4), (turned, larger))
    chain.add(layers.Softmax, (4, 4))
    chain.add(layers.Normalise, (4, 4), epsilon=2.0**-6)
    chain.add(layers.Power, (4, 4), exponent=0.5)
    chain.add(layers.Power, (4, 4), exponent=-1.0)
    inverse = chain.add(layers.Exponential, (4, 4))
    chain.add(layers.Logarithm, (4, 4))
    chain.add(layers.Quotient, (4, 4), (chain.nodes[-1].name, inverse))
    condition = chain.add(layers.AtLeast, (4, 4), at=0.25, strict=True)
    chain.add(layers.Choose, (4, 4), (condition, inverse, chain.nodes[-2].name))
    chain.add(layers.Softmax, (4, 4), (chain.nodes[-1].name, condition))
    values = chain.add(layers.Order, (4, 2), (inverse,), k=2, places=False)
    places = chain.add(layers.Order, (4, 2), (inverse,), k=2, places=True)
    chain.add(layers.Concat, (4, 4), (values, places), axis=1)
    chain.add(layers.Reshape, (16,))
    chain.add(layers.OneHot, (16, 3), classes=3)
    chain.add(layers.Slice, (16, 1), axis=1, start=1, stop=2, step=1)
    chain.add(layers.Reshape, (4, 4, 1))
    chain.add(layers.Expand, (4, 4, 2))
    chain.add(layers.Flatten, (32,))
    chain.add(layers.Linear, (6,), weight="w1", bias=None, whole=True)
    chain.add(layers.Leaves, (5,), weight="w2", bias="b2", trees=2)
    return chain.graph()


def model() -> PublicModel:
    """Every kind of layer; the values of ReLUs, and of a scale, are held to bounds."""
    graph = every_kind()
    bounds = {node.name: 3 for node in graph.nodes if isinstance(node, layers.Relu | layers.Scale)}
    functions = [node.name for node in graph.nodes if isinstance(node, layers.OnDomain)]
    domains = dict.fromkeys(functions, Domain(-4, 6, checked=True))
    return PublicModel(graph, Scheme(12, 2, 4, bounds=bounds, least=10, domains=domains), 0.5)


def load() -> WeightLoad:
    """alice's weights."""
    return WeightLoad(model=model(), version="1", owner="alice")


def prediction(**changes: Any) -> PredictionQuestion:
    """Two of bob's images."""
    return load().prediction(**{"images": "bob", "count": 2, "output": "label", "to": "bob"} | changes)
