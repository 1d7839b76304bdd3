"""Which steps are worth a thread of their own.

Threads take turns at Python's lock between the kernels of a step. Where kernels are short, waiting for it costs more
than a second core gives: measured, two threads gain 1.3 to 1.5 from blocks of 16 MB on, and lose with many rounds of
8 MB.
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.catalogue import Operation, row_of
from icm_ray.ops.values import ValueType

__all__ = ["LEAST", "is_large"]

LEAST: int = 12 << 20
"""Bytes of the working set of such a step, if it is no large product."""
_PRODUCTS: int = 1 << 28
"""Products of words in a large matrix product or convolution: about 10 ms; with fewer, starting
the threads takes what they gain."""


def is_large(op: Operation, inputs: Sequence[ValueType], out: ValueType) -> bool:
    """Whether the operation is a product that is worth several threads of its own."""
    count = row_of(op).multiplications
    return count is not None and count(op, inputs, out) >= _PRODUCTS
