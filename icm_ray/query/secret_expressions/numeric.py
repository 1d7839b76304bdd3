"""The smaller or larger of two numbers, and numbers as others of another kind, on shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from icm_ray.ops.linear import Add, AssumeWidth, Scale
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.program.build import Value
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.secret_expressions.blocks import Span, left, span, whole
from icm_ray.query.secret_expressions.operand import Lowering, Operand, Public, RowBuild, Secret, before_sharing

__all__ = ["LOWERINGS"]

_KINDS = {"bool": 0, "int": 1, "float": 2}


def _limited(sign: int) -> Lowering:
    """max(a, b) = b + ReLU(a - b); the smaller is that of the negated, negated."""

    def lower(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
        a, b = map(rows.secret, arguments)
        if a.domain or b.domain:
            raise before_sharing("the smaller or larger of text")
        add = rows.builder.add
        one, other = rows.aligned(a.value, b.value)
        away = rows.difference(one, other) if sign > 0 else rows.difference(other, one)
        above = add(Relu(Epilogue(relu=True, width=away.type.width)), away)
        found = add(Add(), other, above if sign > 0 else add(Scale(-1), above))
        error = max(one.type.error, other.type.error)
        found = add(AssumeWidth(max(one.type.width, other.type.width), error), found)
        kind = max((a.kind, b.kind), key=lambda kind: _KINDS.get(kind, 0))
        return Secret(kind, found, rows.both(a.there, b.there), None)

    return lower


def _cast(rows: RowBuild, arguments: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    x, target = rows.secret(arguments[0]), str(options[0])
    if target == x.kind:
        return x
    if x.kind not in _KINDS or _KINDS.get(target, -1) < _KINDS[x.kind]:
        raise before_sharing(f"{x.kind} as {target}")
    return Secret(target, x.value, x.there, x.blank)


def _divided(what: str, taken: Callable[[RowBuild, Span, Fraction], Value], *, remainder: bool) -> Lowering:
    """Of whole numbers by a public one: x // -d = -x // d, x % -d = -(-x % d)."""

    def lower(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
        x, divisor = arguments
        if not isinstance(x, Secret) or x.kind != "int" or not isinstance(divisor, Public):
            raise before_sharing(f"{what} but of whole numbers by a public one")
        if not isinstance(divisor.value, int) or isinstance(divisor.value, bool) or not divisor.value:
            raise before_sharing(f"{what} by {divisor.value!r}")
        if x.value.type.f or x.value.type.error:
            raise before_sharing(f"{what} of what is rounded")
        sign = 1 if divisor.value > 0 else -1
        signed = Secret("int", x.value if sign > 0 else rows.builder.add(Scale(-1), x.value))
        unit = Fraction(abs(divisor.value))
        found = taken(rows, span(rows, signed, unit), unit)
        return Secret("int", rows.builder.add(Scale(-1), found) if remainder and sign < 0 else found, x.there)

    return lower


def _remainder(rows: RowBuild, x: Span, unit: Fraction) -> Value:
    return whole(rows, left(rows, x, unit), Fraction(1))


LOWERINGS: Mapping[str, Lowering] = {
    "maximum": _limited(1),
    "minimum": _limited(-1),
    "cast": _cast,
    "floor_divide": _divided("//", whole, remainder=False),
    "modulo": _divided("%", _remainder, remainder=True),
}
