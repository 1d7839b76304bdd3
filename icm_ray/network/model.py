"""What all members know of a model: its graph, its public numbers, and what its weights look like."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import msgspec

from icm_ray.network.budget import NetworkBuilder
from icm_ray.network.graph import Graph
from icm_ray.network.layer import Layer, NetworkBuild
from icm_ray.network.scheme import Domain, Scheme, TooWide, place_of
from icm_ray.ops import linear
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["IMAGES", "Lowered", "PublicModel", "lower", "lower_one"]

IMAGES = "images"  # the name of the private input

Declare: TypeAlias = Callable[[Layer], None]


@dataclass(frozen=True, slots=True)
class Lowered:
    """The result of a graph in a program, and what the program made of the numbers.

    exceeded: counts of values beyond the bound. weights: by product node, its fixed weight's type. result_bits: the
    fractional bits of its result, and of a bent function's.
    rounded: by node, the sum of the rounding units of the divisions behind it and the
    errors of its functions (none where there are none). worst: by node, by how much more these can be off at worst.
    domains: of functions, by node.
    long: by product node whose result is too wide for cheaper products, the node that makes it so.
    """

    result: Value
    exceeded: tuple[Value, ...]
    weights: Mapping[str, ValueType]
    result_bits: Mapping[str, int]
    rounded: Mapping[str, float]
    worst: Mapping[str, float]
    domains: Mapping[str, Domain]
    long: Mapping[str, str]


def lower(
    builder: Builder,
    graph: Graph,
    scheme: Scheme,
    owner: str,
    keys: Mapping[str, str],
    x: Value,
    declare: Declare | None = None,
) -> Lowered:
    """Add the layers of `graph` on `x` (batch, *input_shape); `keys` names the weights of `owner` by node.

    declare: called with each layer before it is added; who has the weights states its bound in the scheme then.
    Raises `TooWide` naming the first layer that does not fit the ring under this scheme.
    """
    program = NetworkBuild(builder, graph.by_name, graph.consumers(), scheme, owner, keys, x)
    for node in graph.nodes:
        if declare is not None:
            declare(node)
        program.lower(node)
    result = program.values[graph.output]
    if result.type.width >= FULL_WIDTH:  # differences of logits have one bit more
        last = program.maker(graph.output)
        module = "" if last is None else last.module
        bits = result.type.width
        raise TooWide(f"{place_of(module)}: results of {bits} bits leave none to compare", node="", module=module)
    return Lowered(
        result,
        tuple(program.exceeded),
        program.weights,
        program.result_bits,
        program.rounded,
        program.worst,
        dict(scheme.domains),
        program.long,
    )


def lower_one(graph: Graph, scheme: Scheme, declare: Declare | None = None) -> Lowered:
    """The layers for one image and no one in particular."""
    builder = NetworkBuilder(("a", "b"))
    f = scheme.input_f
    kind = ValueType(shape=(1, *graph.input_shape), f=f, width=f + scheme.inputs + 2)
    x = builder.add(linear.Input("a", IMAGES, kind))
    return lower(builder, graph, scheme, "a", {node.name: node.name for node in graph.nodes}, x, declare)


class PublicModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):  # dict: for what is found once
    """A graph with its public numbers; `error`: bound on every cell of the result, for images within their bound."""

    graph: Graph
    scheme: Scheme
    error: float

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that name the model's public facts."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()[:32]

    @cached_property
    def lowered(self) -> Lowered:
        """The layers for one image: the types of the weights, the fractional bits of products and of the result."""
        return lower_one(self.graph, self.scheme)

    @property
    def result(self) -> ValueType:
        """The type of one image's result."""
        kind = self.lowered.result.type
        return ValueType(shape=kind.shape[1:], f=kind.f, width=kind.width)

    @property
    def widest(self) -> int:
        """Numbers of the largest activation of one image."""
        return max(math.prod(shape) for shape in (self.graph.input_shape, *(node.shape for node in self.graph.nodes)))

    def images_type(self, count: int) -> ValueType:
        """A batch of shared images."""
        f, bound = self.scheme.input_f, self.scheme.inputs
        return ValueType(shape=(count, *self.graph.input_shape), f=f, width=f + bound + 2, error=2.0 ** -(f + 1))
