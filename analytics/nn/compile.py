"""From a graph to programs: one that loads the weights, and one for each batch size that predicts.

Ranges. The ring holds 64 bits, so every value needs a bound that all know. There are two ways to one:

sound       Intervals follow from the bound of the images and the weights. The weights' owner publishes one power of two
            for each product: that much is learned of the weights. Nothing is checked while the program runs.
calibrated  The owner declares a bound for activations, and one constant (`gain`) for the sums of magnitudes behind an
            output, which it checks itself. Where ranges would grow beyond the ring, ReLUs are compared with the bound
            on shares; the counts are added up, and one flag is opened before any result is.

Either way the owner publishes the error bound of the result (`analysis.error_bound`), rounded up to a power of two.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analytics.nn import nodes
from analytics.nn.analysis import bits_of, error_bound, ranges
from analytics.nn.emit import Emitted, Scheme, TooWide, emit
from analytics.nn.graph import Graph
from icm_ray.errors import BoundError, UnsupportedError
from icm_ray.ops import compare, linear, products
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Program
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["IMAGES", "Compiled", "Members", "compile_graph"]


IMAGES = "images"
_FEWEST, _ENOUGH = 12, 20  # fractional bits of weights: fewer are refused; more checks are made before fewer are taken


@dataclass(frozen=True, slots=True)
class Members:
    """Who takes part: the parties, the external owners, and whose the weights are; in_flight: a worker's bytes,
    threads: and its threads.
    """

    parties: tuple[str, ...]
    owners: tuple[str, ...]
    weights: str
    in_flight: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Compiled:
    """A graph with its public numbers; `error`: bound on every cell of the result, for images within their bound.

    weight_types and bias_bits: of every product, by node; result: the type of one image's result.
    """

    graph: Graph = field(repr=False)
    scheme: Scheme
    error: float
    weight_types: Mapping[str, ValueType]
    bias_bits: Mapping[str, int]
    result: ValueType

    @property
    def widest(self) -> int:
        """Numbers of the largest activation of one image."""
        return max(math.prod(shape) for shape in (self.graph.input_shape, *(node.shape for node in self.graph.nodes)))

    def images_type(self, count: int) -> ValueType:
        """A batch of shared images."""
        f, bound = self.scheme.input_f, self.scheme.inputs
        return ValueType(shape=(count, *self.graph.input_shape), f=f, width=f + bound + 2, error=2.0 ** -(f + 1))

    def weights(self) -> dict[str, RingArray]:
        """Ring elements of the weights and biases, by the names that `load` gives them. Private: the owner's alone."""
        found: dict[str, RingArray] = {}
        for name, kind in self.weight_types.items():
            weight, bias = _arrays(self.graph, name)
            found[name] = encode(weight, kind.f, 62 - kind.f, name).reshape(kind.shape)
            if bias is not None:
                bits = self.bias_bits[name]
                found[_bias(name)] = encode(bias, bits, 62 - bits, _bias(name))
        return found

    def load(self, members: Members, keys: Mapping[str, str]) -> Program:
        """The program in which the owner masks its weights, once for each lane; `keys`: where they stay, by node."""
        builder = Builder(members.parties, members.owners, threads=members.threads)
        for name, kind in self.weight_types.items():
            _, bias = _names(self.graph.node(name))
            size = 0 if bias is None else kind.shape[0]
            named = None if bias is None else _bias(name)
            builder.add(products.LoadWeight(members.weights, name, keys[name], kind, named, size))
        return builder.build()

    def predict(
        self, members: Members, keys: Mapping[str, str], count: int, images: str, output: str, to: str
    ) -> Program:
        """The program for a batch of `count` images of the owner `images`; `output` goes to `to`, and nothing else."""
        builder = Builder(members.parties, members.owners, in_flight=members.in_flight, threads=members.threads)
        x = builder.add(linear.Input(images, IMAGES, self.images_type(count)))
        emitted = emit(builder, self.graph, self.scheme, members.weights, keys, x)
        result = emitted.result
        if output == "label":
            if len(result.type.shape) != 2:
                raise UnsupportedError(f"a label needs one axis of classes; the network makes {result.type.shape[1:]}")
            result = builder.add(compare.ArgMax(result.type.width + 1), result)
        else:
            result = builder.add(linear.AssumeWidth(result.type.width, self.error), result)
        if emitted.exceeded:
            result = builder.add(compare.CheckFlag("the activations"), result, _flag(builder, emitted))
        builder.add(linear.Reveal(to, output), result)
        return builder.build()


def _flag(builder: Builder, emitted: Emitted) -> Value:
    """Whether any activation was beyond the bound: 0 or 1."""
    total, *rest = emitted.exceeded
    for count in rest:
        total = builder.add(linear.Add(), total, count)
    return builder.add(compare.AtLeast(1, total.type.width + 1), total)


def compile_graph(graph: Graph, f: int, inputs: int, gain: int, bound: int | None) -> Compiled:
    """Choose the public numbers for a graph that has its weights.

    f: fractional bits of activations. inputs, gain, bound: logarithms; `bound` None asks for sound ranges.
    Raises `BoundError` naming the layer that does not fit the ring, or whose weights are beyond the gain.
    """
    if bound is None:
        scheme, emitted = _sound(graph, Scheme(f, inputs, gain, least=_FEWEST))
    else:
        scheme, emitted = _calibrated(graph, Scheme(f, inputs, gain, bound, least=_ENOUGH))
    error = error_bound(graph, scheme, emitted, ranges(graph, scheme))
    result = _one_image(emitted.result.type)
    compiled = Compiled(graph, scheme, 2.0 ** bits_of(error), emitted.weights, emitted.result_bits, result)
    if bound is not None:
        _check_gain(compiled)
    return compiled


def _one_image(kind: ValueType) -> ValueType:
    """The type of one image's result."""
    return ValueType(shape=kind.shape[1:], f=kind.f, width=kind.width)


def _try(graph: Graph, scheme: Scheme) -> Emitted:
    """The layers for one image and no one in particular."""
    builder = Builder(("a", "b"))
    f = scheme.input_f
    kind = ValueType(shape=(1, *graph.input_shape), f=f, width=f + scheme.inputs + 2)
    x = builder.add(linear.Input("a", IMAGES, kind))
    return emit(builder, graph, scheme, "a", {node.name: node.name for node in graph.nodes}, x)


def _sound(graph: Graph, scheme: Scheme) -> tuple[Scheme, Emitted]:
    found = ranges(graph, scheme)
    layers = {
        node.name: bits_of(float(found[node.name].magnitude.max()))
        for node in graph.nodes
        if isinstance(node, nodes.Conv | nodes.Linear | nodes.Affine)
    }
    scheme = replace(scheme, layers=layers)
    try:
        return scheme, _try(graph, scheme)
    except TooWide as error:
        reach = layers.get(error.where["node"])
        raise BoundError(
            f"layer {error.where['module']!r}: sound bounds"
            + (f" of its values reach 2^{reach}, which" if reach is not None else "")
            + f" does not fit the ring with {scheme.f} fractional bits; declare a bound of activations that is checked"
            " while the program runs, as in bound=64.0, or a smaller input_bound",
            **error.where,
        ) from error


def _calibrated(graph: Graph, scheme: Scheme) -> tuple[Scheme, Emitted]:
    """Check as few ReLUs as the ring allows: where a layer does not fit, the nearest ReLU before it is checked."""
    while True:
        try:
            return scheme, _try(graph, scheme)
        except TooWide as error:
            nearest = _unchecked_before(graph, error.where["node"], scheme.checked)
            if nearest is not None:
                scheme = replace(scheme, checked=scheme.checked | {nearest})
            elif scheme.least > _FEWEST:
                scheme = replace(scheme, least=_FEWEST)
            else:
                raise


def _unchecked_before(graph: Graph, name: str, checked: frozenset[str]) -> str | None:
    queue = deque(graph.node(name).inputs)
    while queue:
        source = queue.popleft()
        if source == nodes.INPUT:
            continue
        node = graph.node(source)
        if isinstance(node, nodes.Relu) and source not in checked:
            return source
        queue.extend(node.inputs)
    return None


def _check_gain(compiled: Compiled) -> None:
    """The owner's own check: sums of encoded magnitudes behind an output, and biases, stay within the declared gain."""
    gain, coded = compiled.scheme.gain, compiled.weights()
    for name, kind in compiled.weight_types.items():
        magnitudes = np.abs(coded[name].view(np.int64).astype(np.float64)).reshape(kind.shape[0], -1)
        worst = {"weights behind one output": float(magnitudes.sum(axis=1).max()) * 2.0**-kind.f}
        if _bias(name) in coded:
            biases = np.abs(coded[_bias(name)].view(np.int64).astype(np.float64))
            worst["bias"] = float(biases.max()) * 2.0 ** -compiled.bias_bits[name]
        for what, value in worst.items():
            if value > 2.0**gain:
                module = compiled.graph.node(name).module
                raise BoundError(
                    f"layer {module!r}: its {what} are beyond weight_gain=2^{gain} in magnitude; declare a larger one",
                    module=module,
                    gain=gain,
                )


def _names(node: nodes.Node) -> tuple[str | None, str | None]:
    match node:
        case nodes.Conv() | nodes.Linear():
            return node.weight, node.bias
        case nodes.Affine():
            return node.scale, node.shift
        case _:
            return None, None


def _arrays(graph: Graph, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    node = graph.node(name)
    weight, bias = _names(node)
    plain = np.ones(node.shape[0]) if weight is None else graph.weights[weight]
    return plain, None if bias is None else graph.weights[bias]


def _bias(name: str) -> str:
    return f"{name}.bias"
