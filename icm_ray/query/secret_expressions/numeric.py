"""The smaller or larger of two numbers, and numbers as others of another kind, on shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from icm_ray.ops.linear import Add, AssumeWidth, Scale
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.secret_expressions.operand import Lowering, Operand, RowBuild, Secret, before_sharing

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


LOWERINGS: Mapping[str, Lowering] = {"maximum": _limited(1), "minimum": _limited(-1), "cast": _cast}
