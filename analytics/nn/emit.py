"""From the layers of a graph to the operations of a program.

Every value carries its own fractional bits: a product adds those of its weights, an average pool by a power of two its
logarithm. They are cut back to the session's f where a masked opening is needed anyway (ReLU), or before they would
become too many for the next product. A product that a ReLU follows is finished with it in one opening; a product whose
readers all end in ReLUs or in the result (a residual sum) is left untruncated, and the ReLU truncates the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from analytics.nn import nodes
from analytics.nn.graph import Graph
from analytics.nn.pools import add_average, add_maximum, divide
from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops import compare, linear, products
from icm_ray.ops.forms import Convolution, Form, Matrix
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["Emitted", "Scheme", "TooWide", "emit"]

_WEIGHT_BITS = 30  # fractional bits of weights, where they fit: comparisons do not grow with them
_SLACK = 8  # fractional bits beyond f that a value may carry into a product or a maximum
_RESERVE = 3  # bits kept free for the sums that an untruncated product goes through


class TooWide(BoundError):
    """A layer's values do not fit the ring; `where` names the node and the layer's module."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The public numbers of a model, powers of two as their logarithms.

    f: fractional bits of activations. inputs: bound of the images. gain: bound on the sum of |weights| behind one
    output, and on |bias|. bound: of activations, where it is declared and checked. layers: bounds of products' results
    by node, where the weights' owner declares them. checked: the ReLUs whose results are compared with `bound`.
    least: fewest fractional bits of weights that are taken.
    """

    f: int
    inputs: int
    gain: int
    bound: int | None = None
    layers: Mapping[str, int] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    least: int = 20

    @property
    def input_f(self) -> int:
        """Fractional bits of the images: more of them cost nothing, since the first product is divided by more."""
        return self.f + _SLACK


@dataclass(slots=True)
class Emitted:
    """The result, the counts of values beyond the bound, and what the program made of the numbers.

    weights: by product node, its fixed weight's type, the fractional bits of its result and the key it is kept under.
    rounded: by node, the sum of the rounding units of the divisions behind it (0 where there is none).
    """

    result: Value
    exceeded: list[Value]
    weights: dict[str, ValueType]
    result_bits: dict[str, int]
    rounded: dict[str, float]


def emit(builder: Builder, graph: Graph, scheme: Scheme, owner: str, keys: Mapping[str, str], x: Value) -> Emitted:
    """Add the layers of `graph` on `x` (batch, *input_shape); `keys` names the weights of `owner` by node.

    Raises `TooWide` naming the first layer that does not fit the ring under this scheme.
    """
    return _Emission(builder, graph, scheme, owner, keys, x).run()


class _Emission:
    def __init__(
        self, builder: Builder, graph: Graph, scheme: Scheme, owner: str, keys: Mapping[str, str], x: Value
    ) -> None:
        self.builder, self.graph, self.scheme, self.owner, self.keys = builder, graph, scheme, owner, keys
        self.readers = graph.consumers()
        self.batch = x.type.shape[0]
        self.values: dict[str, Value] = {nodes.INPUT: x}
        self.fused: set[str] = set()
        self.out = Emitted(x, [], {}, {}, {})

    def run(self) -> Emitted:
        for node in self.graph.nodes:
            try:
                self.values[node.name] = self._layer(node)
            except BoundError as error:
                if isinstance(error, TooWide):
                    raise
                raise TooWide(f"layer {node.module!r}: {error}", node=node.name, module=node.module) from error
        self.out.result = self.values[self.graph.output]
        return self.out

    def _layer(self, node: nodes.Node) -> Value:  # noqa: PLR0911 - one case for each kind
        add, values = self.builder.add, [self.values[name] for name in node.inputs]
        x = values[0]
        match node:
            case nodes.Conv() | nodes.Linear() | nodes.Affine():
                return self._product(node)
            case nodes.Relu():
                return self._relu(node, x)
            case nodes.Scale():
                return self._scale(node, x)
            case nodes.AvgPool():
                return add_average(self.builder, x, node)
            case nodes.MaxPool():
                positive = isinstance(self._maker(node.inputs[0]), nodes.Relu)
                zeros_lose = positive or all(isinstance(self._maker(name), nodes.Relu) for name in self._readers(node))
                return add_maximum(self.builder, self._settled(node.inputs[0]), node, zeros_lose=zeros_lose)
            case nodes.Flatten() | nodes.Reshape():
                return add(linear.Reshape((self.batch, *node.shape)), x)
            case nodes.Permute():
                return add(linear.Permute((0, *(axis + 1 for axis in node.axes))), x)
            case nodes.Slice():
                axes = [(0, size, 1) for size in x.type.shape]
                axes[node.axis + 1] = (node.start, node.stop, node.step)
                return add(linear.Slice(tuple(axes)), x)
            case nodes.Pad():
                return add(linear.Pad(((0, 0), *node.pads)), x)
            case nodes.Add():
                return add(linear.Add(), *self._aligned(node.inputs))
            case nodes.Concat():
                return add(linear.Concatenate(node.axis + 1), *self._aligned(node.inputs))
            case _:
                raise ProgramError(f"node {node.name!r} is of an unknown kind, {type(node).__name__}")

    def _maker(self, name: str) -> nodes.Node | None:
        return None if name in {"", nodes.INPUT} else self.graph.node(name)

    def _readers(self, node: nodes.Node) -> tuple[str, ...]:
        return self.readers[node.name]

    # ------------------------------------------------------------------------------------------- fractional bits

    def _settled(self, name: str) -> Value:
        """The value of `name` with few fractional bits beyond f: truncated, once for all of its readers, if need be."""
        value = self.values[name]
        if value.type.f > self.scheme.f + _SLACK:
            epilogue = self._finish(value.type, relu=False)
            value = self.values[name] = self.builder.add(products.Truncate(epilogue), value)
            self._round(name, value.type.f)
        return value

    def _finish(self, raw: ValueType, *, relu: bool, f: int | None = None) -> products.Epilogue:
        """What brings a value back to f bits, the scheme's unless given, at the smallest width that holds it."""
        shift = max(raw.f - (self.scheme.f if f is None else f), 0)
        return products.Epilogue(shift, relu, max(raw.width + (1 if shift else 0), shift + 2))

    def _relu_bits(self, name: str) -> int:
        """Fractional bits of a ReLU's values: before an average of k half of log2 k fewer, as rounding averages out."""
        readers = [self._maker(reader) for reader in self.readers[name]]
        areas = [node.kernel[0] * node.kernel[1] for node in readers if isinstance(node, nodes.AvgPool)]
        return self.scheme.f - (round(math.log2(min(areas)) / 2) if areas and len(areas) == len(readers) else 0)

    def _round(self, name: str, f: int) -> None:
        self.out.rounded[name] = self.out.rounded.get(name, 0.0) + 2.0**-f

    def _aligned(self, names: tuple[str, ...]) -> list[Value]:
        """The values with the same fractional bits: the most of any, unless another would not fit the ring then."""
        most = max(self.values[name].type.f for name in names)
        if any(self.values[name].type.width + most - self.values[name].type.f > FULL_WIDTH - 2 for name in names):
            for name in names:
                self._settled(name)
            most = max(self.values[name].type.f for name in names)
        return [self._raised(self.values[name], most) for name in names]

    def _raised(self, value: Value, f: int) -> Value:
        more = f - value.type.f
        return self.builder.add(linear.Scale(2**more, more), value) if more else value

    def _scale(self, node: nodes.Scale, x: Value) -> Value:
        if node.factor == 0:
            return self.builder.add(linear.Scale(0), x)
        if node.factor < 0:
            x = self.builder.add(linear.Scale(-1), x)
        return divide(self.builder, x, abs(node.factor))

    # --------------------------------------------------------------------------------------------------- products

    def _product(self, node: nodes.Conv | nodes.Linear | nodes.Affine) -> Value:
        form, weight_shape, source = self._form(node)
        x = self._settled(node.inputs[0])
        if source != x.type.shape:
            x = self.builder.add(linear.Reshape(source), x)
        lazy = self._absorbed(node.name)
        bits = self._weight_bits(node, x.type, self._reserve(node.name) if lazy else 0)
        weight = ValueType(shape=weight_shape, f=bits, width=FULL_WIDTH, error=2.0 ** -(bits + 1))
        declared = self.scheme.layers.get(node.name)
        biased = (node.shift if isinstance(node, nodes.Affine) else node.bias) is not None
        op = products.OwnedProduct(
            self.owner,
            self.keys[node.name],
            form,
            weight,
            gain=0 if declared is not None else self.scheme.gain,
            bias_bound=self.scheme.gain if biased and declared is None else None,
            channel_axis=len(node.shape) if isinstance(node, nodes.Linear) else 1,
            bound=declared,
        )
        raw = op.infer(x.type)
        if self._relu_follows(node.name):
            op = msgspec.structs.replace(
                op, epilogue=self._finish(raw, relu=True, f=self._relu_bits(self.readers[node.name][0]))
            )
            self.fused.add(node.name)
        elif not lazy:
            op = msgspec.structs.replace(op, epilogue=self._finish(raw, relu=False))
        y = self.builder.add(op, x)
        if op.epilogue is not None:
            self._round(node.name, y.type.f)
        self.out.weights[node.name], self.out.result_bits[node.name] = weight, raw.f
        wanted = (self.batch, *node.shape)
        return y if y.type.shape == wanted else self.builder.add(linear.Reshape(wanted), y)

    def _form(self, node: nodes.Conv | nodes.Linear | nodes.Affine) -> tuple[Form, tuple[int, ...], tuple[int, ...]]:
        """The product's form, its weight's shape, and the shape in which it takes its input."""
        source = self.graph.shape_of(node.inputs[0])
        match node:
            case nodes.Conv():
                (top, bottom), (left, right) = node.padding
                padding = (top, bottom, left, right)
                form = Convolution(node.kernel, node.stride, padding, node.dilation, node.groups)
                weight = (node.shape[0], source[0] // node.groups, *node.kernel)
                return form, weight, (self.batch, *source)
            case nodes.Linear():
                return Matrix(transposed=True), (node.shape[-1], source[-1]), (self.batch, *source)
            case _:  # each channel times its own weight: a convolution of one cell with as many groups as channels
                channels, rest = source[0], math.prod(source[1:])
                form = Convolution((1, 1), groups=channels)
                return form, (channels, 1, 1, 1), (self.batch, channels, 1, rest)

    def _weight_bits(self, node: nodes.Node, x: ValueType, reserve: int) -> int:
        """As many fractional bits for the weights as the ring has room for."""
        declared = self.scheme.layers.get(node.name)
        used = x.f + declared + 1 if declared is not None else x.width + self.scheme.gain + 2
        room = min(FULL_WIDTH - 1 - reserve - used, _WEIGHT_BITS)
        if room < self.scheme.least:
            raise TooWide(
                f"layer {node.module!r}: with values of {used} bits, {max(room, 0)} fractional bits are left for its"
                f" weights, and {self.scheme.least} are needed; declare a smaller bound",
                node=node.name,
                module=node.module,
            )
        return room

    def _reserve(self, name: str) -> int:
        """Bits to keep free of an untruncated product: for an argmax's differences, or the sums it goes through."""
        return 1 if set(self.readers[name]) == {""} else _RESERVE

    def _relu_follows(self, name: str) -> bool:
        readers = self.readers[name]
        return len(readers) == 1 and isinstance(self._maker(readers[0]), nodes.Relu)

    def _absorbed(self, name: str) -> bool:
        """Whether every reader, through sums and layouts, is a ReLU or the result: then truncation can wait for it."""
        for reader in self.readers[name]:
            node = self._maker(reader)
            passing = (nodes.Add, nodes.Flatten, nodes.Reshape, nodes.Permute, nodes.Slice, nodes.Pad, nodes.Concat)
            if not (
                node is None
                or isinstance(node, nodes.Relu)
                or (isinstance(node, passing) and self._absorbed(node.name))
            ):
                return False
        return True

    # ------------------------------------------------------------------------------------------------------- ReLU

    def _relu(self, node: nodes.Relu, x: Value) -> Value:
        y = x
        if node.inputs[0] not in self.fused:
            epilogue = self._finish(x.type, relu=True, f=self._relu_bits(node.name))
            y = self.builder.add(products.Relu(epilogue), x)
            if epilogue.shift:
                self._round(node.name, y.type.f)
        bound = self.scheme.bound
        if node.name not in self.scheme.checked or bound is None or y.type.width <= y.type.f + bound + 1:
            return y
        count = compare.CountAtLeast((2 ** (bound + y.type.f),), min(y.type.width + 1, FULL_WIDTH))
        self.out.exceeded.append(self.builder.add(count, y))
        return self.builder.add(linear.AssumeWidth(y.type.f + bound + 1), y)
