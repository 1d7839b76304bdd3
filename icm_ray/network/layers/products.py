"""Products with weights that one party holds: what convolutions, linear and affine layers have in common."""

from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.scheme import WEIGHT_BITS, Scheme, TooWide, place_of
from icm_ray.ops import linear, products
from icm_ray.ops.forms import Form
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.program.build import Value
from icm_ray.ring.gemm import SHORT

__all__ = ["BiasedProduct", "ProductLayer"]

_RESERVE = 3  # bits kept free for the sums that an untruncated product goes through


class ProductLayer(Layer, frozen=True, kw_only=True):
    """y = W x + b in one form or another; W, b or both are named by key."""

    channels_last: ClassVar[bool] = False  # the bias' axis: the last, or the first of a sample

    @property
    def exact(self) -> bool:
        """Whether the weights are whole numbers, which need no fractional bits: that much is public."""
        return False

    @property
    def weight_key(self) -> str | None:
        """The key of W, None where it is all ones."""
        raise ProgramError(f"node {self.name!r} has no weights")

    @property
    def bias_key(self) -> str | None:
        """The key of b, None where there is none."""
        raise ProgramError(f"node {self.name!r} has no weights")

    def with_weights(self, weight: str | None, bias: str | None) -> Self:
        """The layer with other keys."""
        raise ProgramError(f"node {self.name!r} has no weights")

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        """The product's form, its weight's shape in it, and the per-sample shape in which it takes its input."""
        raise ProgramError(f"node {self.name!r} has no weights")

    def lower(self, program: NetworkBuild) -> Value:
        """One product, finished in the same opening where a ReLU or a truncation follows."""
        x = program.settled(self.inputs[0])
        form, weight_shape, source = self.product(x.type.shape[1:])
        if source != x.type.shape[1:]:
            x = program.add(linear.Reshape((program.batch, *source)), x)
        behind = self._sum_behind(program, x.type)
        relu = program.relu_behind(self.name)
        lazy = behind is None and relu is None and program.absorbed(self.name)
        bits = self._weight_bits(program, x.type, self._reserve(program) if lazy else 0, behind)
        error = 0.0 if self.exact else 2.0 ** -(bits + 1)
        weight = ValueType(shape=weight_shape, f=bits, width=FULL_WIDTH, error=error)
        if self.weight_key is not None:  # one that several products name is loaded once, with the bits of the first
            weight = program.shared.setdefault(self.weight_key, weight)
        if weight.f > bits or weight.shape != weight_shape or (weight.f != bits and self.bias_key is not None):
            raise TooWide(
                f"{place_of(self.module)}: its weights, which other layers share, have {weight.f} fractional bits, and"
                f" {bits} fit here; declare a smaller bound",
                node=self.name,
                module=self.module,
            )
        declared = program.scheme.layers.get(self.name)
        gain = 0 if declared is not None else self._gain(program.scheme)
        op = products.OwnedProduct(
            program.owner,
            program.keys[self.name],
            form,
            weight,
            gain=gain,
            bias_bound=gain if self.bias_key is not None and declared is None else None,
            channel_axis=len(self.shape) if self.channels_last else 1,
            bound=declared,
        )
        raw = op.infer(x.type)
        program.weights[self.name], program.result_bits[self.name] = weight, raw.f
        if behind is not None and raw.f >= program.values[behind[1]].type.f:
            return self._with_sum(program, op, x, *behind)
        lazy = lazy or (behind is not None and program.absorbed(self.name))
        if relu is not None:
            op = msgspec.structs.replace(op, epilogue=program.epilogue(raw, relu=True, f=program.relu_bits(relu.name)))
            program.fused.add(self.name)
        elif not lazy and raw.f > program.scheme.f:
            op = msgspec.structs.replace(op, epilogue=program.epilogue(raw, relu=False))
        y = program.add(op, x)
        if op.epilogue is not None:
            program.round(self.name, y.type.f)
        return self._shaped(program, y)

    def _shaped(self, program: NetworkBuild, y: Value) -> Value:
        wanted = (program.batch, *self.shape)
        return y if y.type.shape == wanted else program.add(linear.Reshape(wanted), y)

    def _with_sum(self, program: NetworkBuild, op: products.OwnedProduct, x: Value, total: Layer, other: str) -> Value:
        """The product, its sum with the other value, and the ReLU behind, in one opening."""
        raw = op.infer(x.type)
        more = program.raised(program.values[other], raw.f)
        if more.type.shape != raw.shape:
            more = program.add(linear.Reshape(raw.shape), more)
        op = msgspec.structs.replace(op, added=True)
        relu = program.relu_behind(total.name)
        f = program.scheme.f if relu is None else program.relu_bits(relu.name)
        op = msgspec.structs.replace(op, epilogue=program.epilogue(op.infer(x.type, more.type), relu=True, f=f))
        y = self._shaped(program, program.add(op, x, more))
        program.summed[total.name] = y
        program.fused.add(total.name)
        program.round(total.name, y.type.f)
        return y

    def _sum_behind(self, program: NetworkBuild, x: ValueType) -> tuple[Layer, str] | None:
        """The sum that is finished with the product, and what it is added to, where both fit the ring."""
        behind = program.sum_behind(self.name)
        if behind is None or self.exact or FULL_WIDTH - 1 - self._used(program, x, behind) < program.scheme.least:
            return None
        return behind

    def _used(self, program: NetworkBuild, x: ValueType, behind: tuple[Layer, str] | None) -> int:
        """Bits of the result, its sum with another value included, without the fractional bits of weights."""
        declared = program.scheme.layers.get(self.name)
        used = x.f + declared + 1 if declared is not None else x.width + self._gain(program.scheme) + 2
        if behind is not None:
            other = program.values[behind[1]].type
            used = max(used, other.width - other.f + x.f) + 1
        return used

    def _weight_bits(self, program: NetworkBuild, x: ValueType, reserve: int, behind: tuple[Layer, str] | None) -> int:
        """As many fractional bits for the weights as the ring has room for, or its low bits where that is enough."""
        if self.exact:
            return 0
        scheme, used = program.scheme, self._used(program, x, behind)
        if not (
            reserve or program.is_shared(self.weight_key)
        ):  # products with one weight take as many bits as the first
            room = min(SHORT - 1 - used, WEIGHT_BITS)
            if room >= scheme.enough:
                return room
            alone = self._used(program, x, None)
            program.long[self.name] = self.inputs[0] if behind is None or used == alone + 1 else behind[1]
        room = min(FULL_WIDTH - 1 - reserve - used, WEIGHT_BITS)
        if room < scheme.least:
            raise TooWide(
                f"{place_of(self.module)}: with values of {used} bits, {max(room, 0)} fractional bits are left for its"
                f" weights, and {scheme.least} are needed; declare smaller bounds, or leave bound= out: values are"
                " bounded by what samples measure then",
                node=self.name,
                module=self.module,
            )
        return room

    def _gain(self, scheme: Scheme) -> int:
        """What is declared of all products."""
        if scheme.gain is None:
            raise ProgramError(f"no bound is declared for the product {self.name!r}")
        return scheme.gain

    def _reserve(self, program: NetworkBuild) -> int:
        """Bits to keep free of an untruncated product: for an argmax's differences, or the sums it goes through."""
        return 1 if all(reader is None for reader in program.readers(self.name)) else _RESERVE


class BiasedProduct(ProductLayer, frozen=True, kw_only=True):
    """A product whose weights have a key, and whose bias may have one."""

    weight: str
    bias: str | None
    whole: bool = False

    @property
    def exact(self) -> bool:
        return self.whole

    @property
    def weight_key(self) -> str | None:
        return self.weight

    @property
    def bias_key(self) -> str | None:
        return self.bias

    def with_weights(self, weight: str | None, bias: str | None) -> Self:
        return msgspec.structs.replace(self, weight=weight or self.weight, bias=bias)

    def weight_shapes(self, source: Shape) -> dict[str, Shape]:
        shapes = {self.weight: self.product(source)[1]}
        if self.bias is not None:
            shapes[self.bias] = self.shape[-1:] if self.channels_last else self.shape[:1]
        return shapes
