"""Translation of einsum, of two activations or of one and a constant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.matrices import by_constant, paired

__all__ = ["SUMS_OF_PRODUCTS"]

aten = torch.ops.aten


def _einsum(build: GraphBuilder, call: Call) -> Wire:
    """Letters of both and of the result go in front, those of both alone are summed over: matrix products."""
    equation, operands = call["equation"].replace(" ", ""), list(call["tensors"])
    left, _, result = equation.partition("->")
    names = left.split(",")
    if len(operands) != 2 or not result or "." in equation or len(names) != 2:
        raise Refused("of einsum, two operands and a result in letters are supported")
    if not isinstance(operands[0], Wire):
        operands, names = operands[::-1], names[::-1]
    (a, b), (first, second) = names, operands
    both = isinstance(second, Wire)
    batch = result[0]
    if any(len(set(letters)) != len(letters) for letters in (a, b, result)):
        raise Refused("a letter twice in one operand of einsum is not supported")
    if a[0] != batch or (both and b[0] != batch) or (not both and batch in b):
        raise Refused("its result does not have the batch in front, or mixes it")
    a, b, result = a[1:], b[1:] if both else b, result[1:]
    shared = [letter for letter in a if letter in b and letter in result]
    summed = [letter for letter in a if letter in b and letter not in result]
    own, others = ([letter for letter in mine if letter not in theirs] for mine, theirs in ((a, b), (b, a)))
    if set(own + others + shared) != set(result):
        raise Refused("a letter of einsum that one operand alone has, and the result not, is not supported")
    shape_b = second.shape if both else tuple(second.shape)
    sizes = dict(zip(a, first.shape, strict=True)) | dict(zip(b, shape_b, strict=True))
    front = _count(sizes, shared)
    one = build.permute(first, tuple(a.index(letter) for letter in (*shared, *own, *summed)))
    one = build.reshape(one, (*front, math.prod(_count(sizes, own)), math.prod(_count(sizes, summed))))
    order = tuple(b.index(letter) for letter in (*shared, *summed, *others))
    flat = (*front, math.prod(_count(sizes, summed)), math.prod(_count(sizes, others)))
    if both:
        made = paired(build, one, build.reshape(build.permute(second, order), flat))
    else:
        made = by_constant(build, one, second.permute(order).reshape(flat))
    letters = (*shared, *own, *others)
    whole = build.reshape(made, _count(sizes, letters))
    return build.permute(whole, tuple(letters.index(letter) for letter in result))


def _count(sizes: Mapping[str, int], letters: Sequence[str]) -> tuple[int, ...]:
    return tuple(sizes[letter] for letter in letters)


SUMS_OF_PRODUCTS: Mapping[Any, Translation] = MappingProxyType({aten.einsum.default: _einsum})
