"""Small cells are withheld on shares: b = [n >= k] is opened, and b times what else would be; n is seen by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Concatenate, Reshape
from icm_ray.ops.products import Product
from icm_ray.ops.values import Kind
from icm_ray.ops.wide import Widen, WideProduct
from icm_ray.program.build import Builder, Value
from icm_ray.query.opened import Known
from icm_ray.query.partials import Taken, shared
from icm_ray.query.rows import Rows

__all__ = ["GUARD", "guarded", "least_rows"]

GUARD: Final = "enough"
"""The word under which b is revealed."""


def least_rows(rows: Rows) -> int:
    """The fewest rows behind a number that is opened; 1 where all are."""
    return 1 if rows.policy is None else rows.policy.min_rows


def guarded(builder: Builder, count: Taken, least: int, values: Mapping[str, Taken]) -> Mapping[str, Taken]:
    """The values where so many are counted, zero elsewhere, and the bits that say where. Shapes: of statistics."""
    counted = shared(count)
    width = max(counted.type.width, least.bit_length() + 1) + 1
    shown = builder.add(AtLeast(least, width), counted)
    kept = {
        word: value if isinstance(value, Known) else _times(builder, shown, value) for word, value in values.items()
    }
    return {GUARD: shown, **kept}


def _times(builder: Builder, bits: Value, value: Value) -> Value:
    if value.type.kind is Kind.WIDE:
        return builder.add(WideProduct(), builder.add(Widen(value.type.limbs), bits), value)
    if value.type.shape != bits.type.shape:  # the two words of each key
        row = builder.add(Reshape((1, bits.type.count)), bits)
        bits = builder.add(Concatenate(), *[row] * value.type.shape[0])
    return builder.add(Product(Elementwise()), bits, value)
