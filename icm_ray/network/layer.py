"""What every kind of layer says of itself, and the program under construction that a layer adds itself to.

A layer holds public facts alone: its name, where its inputs come from, sizes and strides. Weights are named by key.
Shapes are per sample: the batch dimension is left out, and axis 0 is the channel axis. Pairs are (height, width);
paddings are ((top, bottom), (left, right)). Layers of one-dimensional data are written as two-dimensional ones with a
height of 1, between two `Reshape`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

import msgspec

from icm_ray.errors import BoundError, ProgramError
from icm_ray.functions.order import Largest
from icm_ray.network.scheme import SLACK, Scheme, TooWide, place_of
from icm_ray.ops import compare, linear, products
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.payload import Shape
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Operation

__all__ = ["INPUT", "Layer", "NetworkBuild", "Pair", "Pairs", "Shape"]

Pair: TypeAlias = tuple[int, int]
Pairs: TypeAlias = tuple[Pair, Pair]

INPUT: Final = "input"  # the name of the network's input, which no layer may take
_MOST: Final = 1 << 18  # operations of a program: a few numbers that somebody sent must not keep a member busy for long


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A unique name, the torch module that the layer came from, its inputs' names, its output's shape."""

    name: str
    module: str
    inputs: tuple[str, ...]
    shape: Shape

    homogeneous: ClassVar[bool] = False  # f(s x) = s f(x) for one input, without weights: scales move through it
    carries: ClassVar[bool] = False  # its values are its inputs', moved or summed: truncation can wait for its readers
    rectifies: ClassVar[bool] = False  # a ReLU: never below zero, and it truncates in the same opening
    compares: ClassVar[bool] = False  # it reads signs alone, of values with any number of fractional bits
    adds: ClassVar[bool] = False  # the sum of two values
    widens: ClassVar[bool] = False  # its type is far wider than its values: the weights' owner vouches for their range

    @property
    def averaged(self) -> int:
        """How many values of its input are averaged into one; 1 for all but average pools."""
        return 1

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """The per-sample shape that the layer makes of inputs of these shapes; `ProgramError` when they do not fit."""
        raise ProgramError(f"node {self.name!r} is of an unknown kind, {type(self).__name__}")

    def weight_shapes(self, source: Shape) -> dict[str, Shape]:
        """The shape of each of its weights, by key, for an (only) input of shape `source`."""
        return {}

    def lower(self, program: NetworkBuild) -> Value:
        """Add the layer to the program; raises `BoundError` where its values do not fit the ring."""
        raise ProgramError(f"node {self.name!r} is of an unknown kind, {type(self).__name__}")

    def only(self, inputs: Sequence[Shape]) -> Shape:
        """The shape of the one input."""
        self.arity(len(inputs) == 1, inputs)
        return inputs[0]

    def arity(self, fits: bool, inputs: Sequence[Shape]) -> None:
        """Refuse another number of inputs."""
        if not fits:
            raise ProgramError(f"node {self.name!r} cannot have {len(inputs)} inputs")

    def need(self, fits: bool, shape: Shape) -> None:
        """Refuse an input of this shape."""
        if not fits:
            raise ProgramError(
                f"node {self.name!r} ({type(self).__name__}) does not fit an input of shape {shape}: {self}"
            )


class NetworkBuild:
    """A program under construction: the values of the layers so far, and what is known of their neighbours.

    Every value carries its own fractional bits: a product adds those of its weights, an average pool by a power of two
    its logarithm. They are cut back to the scheme's f where a masked opening is needed anyway (ReLU), or before they
    would become too many for the next product. A product that a ReLU follows is finished with it in one opening; a
    product whose readers all end in ReLUs or in the result is left untruncated, and the ReLU truncates the sum. The
    later product of a sum that a ReLU follows (a residual one) is finished with both in one opening.

    builder: what operations are added to; functions of `icm_ray.functions` take it. layers, readers: by name; '' stands
    for the result as a reader. owner: whose the weights are. keys: where they are kept, by layer. values: by name.
    fused: ReLUs' inputs that the product has rectified already. summed: sums that a product has made, by name. long:
    products with an epilogue that leave the low bits in which they are cheaper, by name, and what of theirs is so wide.
    exceeded: counts of values beyond the bound. weights,
    result_bits: of every product and bent function, by name. shared: types of weights by their own names.
    rounded: by name, the sum of
    the rounding units of the divisions behind it and the errors of its functions (none where there are none). worst: by
    name, by how much more these can be off at worst. ordered: by name and k, the k largest of rows.
    """

    def __init__(
        self,
        builder: Builder,
        layers: Mapping[str, Layer],
        readers: Mapping[str, tuple[str, ...]],
        scheme: Scheme,
        owner: str,
        keys: Mapping[str, str],
        x: Value,
    ) -> None:
        self.builder, self._layers, self._readers = builder, layers, readers
        self.scheme, self.owner, self.keys = scheme, owner, keys
        self.batch = x.type.shape[0]
        self.values: dict[str, Value] = {INPUT: x}
        self.fused: set[str] = set()
        self.summed: dict[str, Value] = {}
        self.long: dict[str, str] = {}
        self.exceeded: list[Value] = []
        self.weights: dict[str, ValueType] = {}
        self.shared: dict[str, ValueType] = {}
        self.result_bits: dict[str, int] = {}
        self.rounded: dict[str, float] = {}
        self.worst: dict[str, float] = {}
        self.ordered: dict[tuple[str, int], Largest] = {}
        self._added = 0
        self._absorbed = self._find_absorbed()

    def add(self, op: Operation, *inputs: Value) -> Value:
        """Append an operation. Errors: `ProgramError` beyond 2^18 of them, and what its typing raises."""
        self._added += 1
        if self._added > _MOST:
            raise ProgramError(f"the network needs more than {_MOST} operations")
        return self.builder.add(op, *inputs)

    def value(self, layer: Layer) -> Value:
        """The value of a layer's first input."""
        return self.values[layer.inputs[0]]

    # ------------------------------------------------------------------------------------------------------- layers

    def lower(self, layer: Layer) -> None:
        """Add a layer whose inputs are there. Errors: `TooWide` naming the layer where its values do not fit."""
        try:
            self.values[layer.name] = layer.lower(self)
            self._narrow(layer)
        except BoundError as error:
            if isinstance(error, TooWide):
                raise
            raise TooWide(f"{place_of(layer.module)}: {error}", node=layer.name, module=layer.module) from error

    def _narrow(self, layer: Layer) -> None:
        """Hold the layer's value to its bounds, if it has some: what the owner vouches for is taken, what is beyond a
        checked bound is counted, once for all readers.
        """
        vouched = self.scheme.layers.get(layer.name) if layer.widens else None
        if vouched is not None:
            value = self.values[layer.name]
            self.values[layer.name] = self.add(linear.AssumeWidth(max(value.type.f + vouched + 1, 2)), value)
        bound = self.scheme.bounds.get(layer.name)
        if bound is None:
            return
        x = self.settled(layer.name)  # a comparison is the cheaper the fewer bits there are
        f, width = x.type.f, x.type.f + bound + 1
        if width < 2:
            raise BoundError(f"a bound of 2^{bound} is too small for {f} fractional bits; declare a larger one")
        if x.type.width <= width:
            return
        end, wide = 2 ** (f + bound), min(x.type.width + 1, FULL_WIDTH)
        if layer.rectifies:
            beyond = self.add(compare.CountAtLeast((end,), wide), x)
        else:  # [x >= end] + 1 - [x >= 1 - end]
            counts = self.add(compare.CountAtLeast((end, 1 - end), wide), x)
            above, within = (self.add(linear.Slice(((place, place + 1, 1),)), counts) for place in (0, 1))
            beyond = self.add(linear.AddPublic(x.type.count), self.add(linear.Subtract(), above, within))
            beyond = self.add(linear.AssumeWidth(log2_ceil(2 * x.type.count + 1) + 1), beyond)
        self.exceeded.append(beyond)
        self.values[layer.name] = self.add(linear.AssumeWidth(width), x)

    # --------------------------------------------------------------------------------------------------- neighbours

    def maker(self, name: str) -> Layer | None:
        """The layer of that name; None for the network's input and its result."""
        return None if name in {"", INPUT} else self._layers[name]

    def readers(self, name: str) -> list[Layer | None]:
        """The layers that read a value, once for each reading; None for the result."""
        return [self.maker(reader) for reader in self._readers[name]]

    def relu_behind(self, name: str) -> Layer | None:
        """The ReLU that is the only reader of a value."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and readers[0] is not None and readers[0].rectifies else None

    def is_shared(self, weight: str | None) -> bool:
        """Whether several products name the weight."""
        keys = (getattr(layer, "weight_key", None) for layer in self._layers.values())
        return weight is not None and sum(key == weight for key in keys) > 1

    def sum_behind(self, name: str) -> tuple[Layer, str] | None:
        """The sum that alone reads a value, and its other summand, which is there already, where a ReLU follows."""
        total, *rest = self.readers(name) or [None]
        if total is None or rest or not total.adds:
            return None
        (other,) = [source for source in total.inputs if source != name] or [name]
        ends = {name, total.name} & set(self.scheme.bounds)
        if other == name or other not in self.values or ends or self.relu_behind(total.name) is None:
            return None
        return total, other

    def absorbed(self, name: str) -> bool:
        """Whether truncation can wait: every reader, through sums and layouts, is a ReLU, a comparison or the result,
        and nothing is checked before.
        """
        return self._absorbed[name] and name not in self.scheme.bounds

    def _find_absorbed(self) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for name in reversed(tuple(self._layers)):  # readers come after what they read
            found[name] = all(
                reader is None or reader.rectifies or reader.compares or (reader.carries and found[reader.name])
                for reader in self.readers(name)
            )
        return found

    # ---------------------------------------------------------------------------------------------- fractional bits

    def settled(self, name: str, slack: int = SLACK) -> Value:
        """The value of `name` with at most `slack` bits beyond f: truncated, once for all readers, if need be."""
        value = self.values[name]
        if value.type.f > self.scheme.f + slack:
            epilogue = self.epilogue(value.type, relu=False)
            value = self.values[name] = self.add(products.Truncate(epilogue), value)
            self.round(name, value.type.f)
        return value

    def epilogue(self, raw: ValueType, *, relu: bool, f: int | None = None) -> products.Epilogue:
        """What brings a value back to f bits, the scheme's unless given, at the smallest width that holds it."""
        shift = max(raw.f - (self.scheme.f if f is None else f), 0)
        return products.Epilogue(shift, relu, max(raw.width + (1 if shift else 0), shift + 2))

    def relu_bits(self, name: str) -> int:
        """Fractional bits of a ReLU's values: before an average of k half of log2 k fewer, as rounding averages out."""
        areas = [1 if reader is None else reader.averaged for reader in self.readers(name)]
        return self.scheme.f - round(math.log2(min(areas, default=1)) / 2)

    def round(self, name: str, f: int) -> None:
        """Note a division behind `name` that rounds to f fractional bits."""
        self.rounded[name] = self.rounded.get(name, 0.0) + 2.0**-f

    def off(self, name: str, error: float, usual: float | None = None) -> None:
        """Note that values of `name` are off by `error` at most, beside what their inputs were off by.

        usual: about how much, where it is far less.
        """
        usual = error if usual is None else min(usual, error)
        self.rounded[name] = self.rounded.get(name, 0.0) + usual
        self.worst[name] = self.worst.get(name, 0.0) + error - usual

    def aligned(self, names: Sequence[str]) -> list[Value]:
        """The values with the same fractional bits: the most of any, unless another would not fit the ring then."""
        most = max(self.values[name].type.f for name in names)
        if any(self.values[name].type.width + most - self.values[name].type.f > FULL_WIDTH - 2 for name in names):
            for name in names:
                self.settled(name)
            most = max(self.values[name].type.f for name in names)
        return [self.raised(self.values[name], most) for name in names]

    def raised(self, value: Value, f: int) -> Value:
        """The value with so many fractional bits, no fewer than it has."""
        more = f - value.type.f
        return self.add(linear.Scale(2**more, more), value) if more else value
