"""Translation of einsum: of activations, of constants and of both, two operands at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, of_sample
from analytics.nn.torch_ops.matrices import by_constant, paired
from analytics.nn.torch_ops.pools import summed_over

__all__ = ["SUMS_OF_PRODUCTS"]

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class _Operand:
    """Letters and what they stand for; of a wire without the batch."""

    letters: str
    value: Any


def _einsum(build: GraphBuilder, call: Call) -> Wire:
    """Constants first, with one another; then each operand with what the ones before it make."""
    operands = list(call["tensors"])
    names, result = _spelled(call["equation"], [_rank(operand) for operand in operands])
    batch = next(
        (letters[0] for letters, operand in zip(names, operands, strict=True) if isinstance(operand, Wire)), ""
    )
    if any(len(set(letters)) != len(letters) for letters in (*names, result)):
        raise Refused("a letter twice in one operand of einsum is not supported")
    if not result.startswith(batch):
        raise Refused("its result does not have the batch in front, or mixes it")
    parts = []
    for letters, operand in zip(names, operands, strict=True):
        private = isinstance(operand, Wire)
        if private != letters.startswith(batch) or (not private and batch in letters):
            raise Refused("its result does not have the batch in front, or mixes it")
        parts.append(_Operand(letters[1:] if private else letters, operand))
    parts.sort(key=lambda part: isinstance(part.value, Wire))  # constants first
    wanted = result[1:]
    while len(parts) > 1:
        first, second, *rest = parts
        needed = set(wanted).union(*(part.letters for part in rest))
        made = _together(build, first, second, needed)
        parts = [made, *rest] if not isinstance(made.value, Wire) else [*rest, made]
    (whole,) = parts
    whole = _alone(build, whole, set(wanted))
    if not isinstance(whole.value, Wire):
        raise Refused("it depends on constants alone")
    if set(whole.letters) != set(wanted):
        raise Refused("a letter of its result is in no operand")
    return build.permute(whole.value, tuple(whole.letters.index(letter) for letter in wanted))


def _rank(operand: Any) -> int:
    return len(operand.shape) + 1 if isinstance(operand, Wire) else operand.ndim


def _spelled(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """A letter for each axis of each operand, and of the result: those that '...' stands for are spelled out."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    names = left.split(",")
    if len(names) != len(ranks):
        raise Refused(f"its equation names {len(names)} operands of {len(ranks)}")
    free = [letter for letter in ascii_letters if letter not in equation]
    most = max((rank - len(name) + 3 for name, rank in zip(names, ranks, strict=True) if "..." in name), default=0)
    dots = "".join(free[:most])
    spelled = []
    for name, rank in zip(names, ranks, strict=True):
        own = rank - len(name) + 3 if "..." in name else 0
        spelled.append(name.replace("...", dots[len(dots) - own :]))
    if not arrow:
        once = sorted(letter for letter in {*left} - {",", "."} if left.count(letter) == 1)
        return spelled, dots + "".join(once)
    return spelled, result.replace("...", dots)


def _alone(build: GraphBuilder, part: _Operand, needed: set[str]) -> _Operand:
    """Summed over what nobody else needs."""
    lone = [place for place, letter in enumerate(part.letters) if letter not in needed]
    if not lone:
        return part
    kept = "".join(letter for letter in part.letters if letter in needed)
    if not isinstance(part.value, Wire):
        return _Operand(kept, part.value.sum(lone))
    shape = tuple(size for place, size in enumerate(part.value.shape) if place not in lone)
    return _Operand(kept, build.reshape(summed_over(build, part.value, lone), shape))


def _together(build: GraphBuilder, first: _Operand, second: _Operand, needed: set[str]) -> _Operand:
    """Letters of both that are needed go in front, those of both that are not are summed over: matrix products."""
    first = _alone(build, first, needed | set(second.letters))
    second = _alone(build, second, needed | set(first.letters))
    if not isinstance(first.value, Wire):
        if not isinstance(second.value, Wire):
            out = "".join(dict.fromkeys(letter for letter in first.letters + second.letters if letter in needed))
            equation = f"{first.letters},{second.letters}->{out}"
            return _Operand(out, torch.einsum(equation, first.value.double(), second.value.double()))
        first, second = second, first
    a, b = first.letters, second.letters
    shared = [letter for letter in a if letter in b and letter in needed]
    summed = [letter for letter in a if letter in b and letter not in needed]
    own, others = ([letter for letter in mine if letter not in theirs] for mine, theirs in ((a, b), (b, a)))
    sizes = dict(zip(a, first.value.shape, strict=True)) | dict(zip(b, tuple(second.value.shape), strict=True))
    front = _count(sizes, shared)
    one = build.permute(first.value, tuple(a.index(letter) for letter in (*shared, *own, *summed)))
    one = build.reshape(one, (*front, math.prod(_count(sizes, own)), math.prod(_count(sizes, summed))))
    order = tuple(b.index(letter) for letter in (*shared, *summed, *others))
    flat = (*front, math.prod(_count(sizes, summed)), math.prod(_count(sizes, others)))
    if isinstance(second.value, Wire):
        made = paired(build, one, build.reshape(build.permute(second.value, order), flat))
    else:
        made = by_constant(build, one, second.value.double().permute(order).reshape(flat))
    letters = "".join((*shared, *own, *others))
    return _Operand(letters, build.reshape(made, _count(sizes, letters)))


def _count(sizes: Mapping[str, int], letters: Sequence[str]) -> tuple[int, ...]:
    return tuple(sizes[letter] for letter in letters)


def _tensordot(build: GraphBuilder, call: Call) -> Wire:
    operands = [call["self"], call["other"]]
    left, right = (_rank(operand) for operand in operands)
    first, second = list(ascii_letters[:left]), list(ascii_letters[left : left + right])
    for mine, theirs in zip(call["dims_self"], call["dims_other"], strict=True):
        second[theirs % right] = first[mine % left]
    out = [letter for letter in first if letter not in second] + [letter for letter in second if letter not in first]
    equation = f"{''.join(first)},{''.join(second)}->{''.join(out)}"
    return _einsum(build, Call({"equation": equation, "tensors": operands}, call.full_shape))


def _bilinear(build: GraphBuilder, call: Call) -> Wire:
    operands = [call["input1"], call.constant("weight"), call["input2"]]
    made = _einsum(build, Call({"equation": "...i,oij,...j->...o", "tensors": operands}, call.full_shape))
    bias = call.optional("bias")
    return made if bias is None else affine(build, made, shift=of_sample(bias, len(made.shape)))


SUMS_OF_PRODUCTS: Mapping[Any, Translation] = MappingProxyType(
    {aten.einsum.default: _einsum, aten.tensordot.default: _tensordot, aten.bilinear.default: _bilinear}
)
