"""Products, and what may follow them in the same opening: truncation, ReLU."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops.forms import Form, growth_bits
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType, log2_ceil

__all__ = ["Epilogue", "LoadWeight", "OwnedProduct", "Product", "Relu", "SumOfSquares", "Truncate"]


class Epilogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """What happens to a value x that is opened under a mask anyway.

    relu: max(x, 0) after dividing by 2^shift; else only the division (stochastic rounding with public coins).
    width: w of the opening; |x| < 2^(w-2), or |x| < 2^(w-1) for a ReLU without division. reads: how many low bits of
    the result's shares anyone looks at, which a plan works out; the others may be anything.
    """

    shift: int = 0
    relu: bool = False
    width: int = FULL_WIDTH
    reads: int = FULL_WIDTH

    def infer(self, x: ValueType, what: str) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError(f"{what} takes additive shares, not {x.kind}")
        if not 2 <= self.width <= FULL_WIDTH or not 0 <= self.shift < self.width - 1:
            raise ProgramError(f"{what}: a shift of {self.shift} bits at width {self.width}")
        if not self.relu and not self.shift:
            raise ProgramError(f"{what}: a division by 1 is none")
        room = self.width if self.relu and not self.shift else self.width - 1
        if x.width > room:
            raise BoundError(
                f"{what}: values of {x.width} bits, but {room} fit; declare a smaller bound", width=x.width
            )
        if not self.shift:
            return x
        f = x.f - self.shift
        width = max(x.width - self.shift, 1) + 1
        return msgspec.structs.replace(x, f=f, width=min(width, FULL_WIDTH), error=x.error + 2.0**-f)


class Truncate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x / 2^shift, rounded up or down at random by a public coin."""

    epilogue: Epilogue

    def infer(self, x: ValueType) -> ValueType:
        if self.epilogue.relu:
            raise ProgramError("a truncation with a ReLU in it is a ReLU: say so")
        return self.epilogue.infer(x, "truncation")


class Relu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """max(x, 0), after division by 2^shift where the epilogue has one."""

    epilogue: Epilogue

    def infer(self, x: ValueType) -> ValueType:
        if not self.epilogue.relu:
            raise ProgramError("a ReLU whose epilogue has none is a truncation: say so")
        return self.epilogue.infer(x, "ReLU")


def _product_type(
    form: Form, x: ValueType, y: ValueType, epilogue: Epilogue | None, bound: int | None, what: str
) -> ValueType:
    if x.kind is not Kind.SHARE or y.kind is not Kind.SHARE:
        raise ProgramError(f"{what} takes additive shares")
    terms = form.growth(x.shape, y.shape)
    width = x.width + y.width - 1 + growth_bits(form, x.shape, y.shape)
    if bound is not None:
        width = min(width, x.f + y.f + bound + 1)
    error = terms * (x.magnitude * y.error + y.magnitude * x.error + x.error * y.error)
    raw = ValueType(shape=form.shape(x.shape, y.shape), f=x.f + y.f, width=width, error=error).checked(what)
    return raw if epilogue is None else epilogue.infer(raw, what)


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x times y, both shared, elementwise or as matrices or as a convolution; optionally finished in the same
    opening.

    bound: log2 of a bound on |output| (plain units) that whoever writes it down knows, where it is less than what
    follows from the factors' widths.
    """

    form: Form
    epilogue: Epilogue | None = None
    bound: int | None = None

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        return _product_type(self.form, x, y, self.epilogue, self.bound, "product")


class LoadWeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """`owner` brings the fixed weight `name`; F = W - B is opened for the others once, and kept under `key`.

    `type.width` bounds one weight, `gain` the sum of magnitudes behind one output (log2, in plain units).
    With `bias` the owner keeps the value of that name too, with the product's fractional bits.
    """

    owner: str
    name: str
    key: str
    type: ValueType
    bias: str | None = None
    bias_size: int = 0

    def infer(self) -> ValueType:
        return self.type.checked(f"weight {self.name}")


class OwnedProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x times the fixed weight `key` that `owner`, a party, holds in the clear, plus its bias.

    gain: log2 of a bound on the sum of |weights| behind one output, plain units; whoever brings
    the weight checks it (`analytics.nn` does before anything is shared); the parties take it as declared.
    bias_bound: log2 of a bound on |bias|. channel_axis: where the bias' axis lies in the output, never its first.
    bound: log2 of a bound on |x W + b|, which the owner declares in place of gain and bias_bound; it follows from its
    weights and the declared bounds of x. added: whether a second value, of the product's shape and fractional bits, is
    added before the epilogue: their sum is opened once.
    """

    owner: str
    key: str
    form: Form
    weight: ValueType
    gain: int
    bias_bound: int | None = None
    channel_axis: int = 1
    epilogue: Epilogue | None = None
    bound: int | None = None
    added: bool = False

    def infer(self, *inputs: ValueType) -> ValueType:
        if len(inputs) != 1 + self.added or any(kind.kind is not Kind.SHARE for kind in inputs):
            raise ProgramError("a product takes additive shares, and one more where something is added to it")
        x, *added = inputs
        raw = self._product(x)
        for kind in added:
            if (kind.shape, kind.f) != (raw.shape, raw.f):
                raise ProgramError(
                    f"a value of shape {kind.shape} with {kind.f} fractional bits is added to a product of shape"
                    f" {raw.shape} with {raw.f}"
                )
            width, error = max(raw.width, kind.width) + 1, raw.error + kind.error
            raw = msgspec.structs.replace(raw, width=width, error=error).checked("sum with a product")
        return raw if self.epilogue is None else self.epilogue.infer(raw, "product with a fixed weight")

    def _product(self, x: ValueType) -> ValueType:
        f = x.f + self.weight.f
        shape = self.form.shape(x.shape, self.weight.shape)
        axes = len(shape) if self.bias_bound is not None else max(len(shape), 2)  # without a bias a row alone will do
        if not 0 < self.channel_axis < axes:
            raise ProgramError(f"a product of shape {shape} has no channels along axis {self.channel_axis}")
        if self.bound is not None:  # the result and its plaintext twin both lie within the bound
            raw = ValueType(shape=shape, f=f, width=f + self.bound + 1, error=2.0 ** (self.bound + 1))
            return raw.checked("product with a fixed weight")
        # |sum w x| <= 2^gain max|x|; the weights' own rounding adds fan_in * 2^-(f_w+1) * max|x|
        terms = self.form.growth(x.shape, self.weight.shape)
        bits = min(max(self.weight.f + max(self.gain, 0), 0), FULL_WIDTH)  # more than that is refused below
        reach = (1 << bits) + terms // 2 + 1  # sum of |w|, in units of 2^-f_w
        width = x.width + reach.bit_length()
        if self.bias_bound is not None:
            width = max(width, f + self.bias_bound + 1) + 1
        error = 2.0**self.gain * x.error + terms * self.weight.error * (x.magnitude + x.error) + 2.0 ** -(f + 1)
        return ValueType(shape=shape, f=f, width=width, error=error).checked("product with a fixed weight")


class SumOfSquares(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The sum of x^2 over all elements, shape (1,); the result has 2 f fractional bits."""

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError("a sum of squares takes additive shares")
        width = 2 * x.width - 1 + log2_ceil(x.count)
        error = x.count * (2 * x.magnitude * x.error + x.error**2)
        return ValueType(shape=(1,), f=2 * x.f, width=width, error=error).checked("sum of squares")
