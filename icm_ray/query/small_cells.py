"""Small cells are withheld on shares: b = [n >= k] is opened, and b times what else would be; n is seen by nobody.

Neither may a filter or a group leave few out: of N values in all, 0 < N - n < k says as much as 0 < n < k, by
subtraction. Where N is public the thresholds of n are, so b = [n >= k] - [n > N - k] + [n >= N] is a sum of
comparisons; where N is a share, b is the product of [n >= k] with 1 - [N - n >= 1] + [N - n >= k].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Expand, Reshape, Scale, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.values import Kind
from icm_ray.ops.wide import Widen, WideProduct
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.entity_units import least
from icm_ray.query.opened import Known
from icm_ray.query.partials import Taken

__all__ = ["GUARD", "beside", "coarse", "expanded", "few", "guarded", "or_empty", "reaches", "shown", "times"]

GUARD: Final = "enough"
"""The word under which b is revealed."""


def shown(builder: Builder, counts: Value, policy: Policy, *, fewest: int, total: Taken | None) -> Value:
    """Bits of the shape of `counts`: where what so many values are behind may be shown.

    total: all values of which the others are left out; None where none are.
    """
    k, fewest = least(policy, policy.min_rows), least(policy, fewest)
    if total is None:
        bits = reaches(builder, counts, fewest)
    elif isinstance(total, Known):
        bits = _beside_public(builder, counts, k, fewest, total.value)
    else:
        left = few(builder, beside(builder, counts, total), k)
        bits = builder.add(Product(Elementwise()), reaches(builder, counts, fewest), _not(builder, left))
    return builder.add(AssumeWidth(2), bits)  # they are 0 or 1, however many comparisons they are made of


def or_empty(builder: Builder, counts: Value, bits: Value) -> Value:
    """The bits, set too where there is nothing: counts of zero may be shown."""
    empty = _not(builder, reaches(builder, counts, 1))
    return builder.add(AssumeWidth(2), builder.add(Add(), bits, empty))


def coarse(builder: Builder, counts: Value, bits: Value, policy: Policy) -> Value:
    """The bits (cells,), where there are rows enough for so many cells; how many there are is secret."""
    enough = reaches(builder, builder.add(Total(), counts), least(policy, counts.type.count * policy.rows_per_bin))
    kept = builder.add(Product(Elementwise()), builder.add(Expand(bits.type.shape), enough), bits)
    return builder.add(AssumeWidth(2), kept)


def _beside_public(builder: Builder, counts: Value, k: int, fewest: int, total: int) -> Value:
    """fewest <= n <= N - k, or n = N."""
    whole = reaches(builder, counts, max(total, fewest))
    if fewest > total - k:
        return whole
    many = builder.add(Subtract(), reaches(builder, counts, fewest), reaches(builder, counts, total - k + 1))
    return builder.add(Add(), many, whole)


def expanded(builder: Builder, one: Value, like: Value) -> Value:
    """A value (1,) repeated to the shape of another."""
    return one if one.type.shape == like.type.shape else builder.add(Expand(like.type.shape), one)


def beside(builder: Builder, counts: Value, total: Taken) -> Value:
    """How many others there are, of a total of shape (1,) or of that of `counts`."""
    if isinstance(total, Known):
        return builder.add(AddPublic(total.value), builder.add(Scale(-1), counts))
    return builder.add(Subtract(), expanded(builder, total, counts), counts)


def few(builder: Builder, counts: Value, k: int) -> Value:
    """[0 < n < k]."""
    return builder.add(Subtract(), reaches(builder, counts, 1), reaches(builder, counts, k))


def reaches(builder: Builder, counts: Value, least: int) -> Value:
    """[n >= least]."""
    width = max(counts.type.width, least.bit_length() + 1) + 1
    return builder.add(AtLeast(least, width), counts)


def _not(builder: Builder, bits: Value) -> Value:
    return builder.add(AddPublic(1), builder.add(Scale(-1), bits))


def guarded(builder: Builder, bits: Value, values: Mapping[str, Taken]) -> Mapping[str, Taken]:
    """The values where the bits are set, zero elsewhere, and the bits. Shapes: of statistics."""
    kept = {word: value if isinstance(value, Known) else times(builder, bits, value) for word, value in values.items()}
    return {GUARD: bits, **kept}


def times(builder: Builder, bits: Value, value: Value) -> Value:
    """The value where the bits are set, zero elsewhere."""
    if value.type.kind is Kind.WIDE:
        return builder.add(WideProduct(), builder.add(Widen(value.type.limbs), bits), value)
    if bits.type.count == 1 and len(value.type.shape) == 1:
        bits = builder.add(Expand(value.type.shape), bits)
    elif value.type.shape != bits.type.shape:  # the two words of each key
        row = builder.add(Reshape((1, bits.type.count)), bits)
        bits = builder.add(Concatenate(), *[row] * value.type.shape[0])
    return builder.add(Product(Elementwise()), bits, value)
