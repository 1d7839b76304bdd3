"""Comparisons on shares: bits [x >= t] for public numbers, of differences for columns.

What is rounded is compared with what is rounded alike: a value equal to a public number counts as equal, and one that
is off by no more than 2^-f may.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from icm_ray.ops.linear import Add, Subtract
from icm_ray.program.build import Value
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.secret_expressions.operand import Lowering, Operand, Public, RowBuild, Secret, before_sharing

__all__ = ["LOWERINGS", "within"]

_MIRRORED = {"less": "greater", "less_equal": "greater_equal", "greater": "less", "greater_equal": "less_equal"}


def _limits(x: Secret) -> tuple[int | None, int | None]:
    """The least and the largest ring element, where they are known better than from the width."""
    if x.kind == "bool":
        return 0, 1
    return (0, len(x.domain)) if x.domain else (None, None)


def _reaches(rows: RowBuild, x: Secret, integer: int) -> Value:
    return rows.at_least(x.value, integer, *_limits(x))


def _thresholds(x: Secret, value: Scalar | Fraction) -> tuple[int, int]:
    """From where on a ring element is at least a public value, and from where on it is greater."""
    if isinstance(value, str):
        if not x.domain:
            raise before_sharing("comparing numbers with text")
        return bisect_left(x.domain, value) + 1, bisect_right(x.domain, value) + 1
    f = x.value.type.f
    if isinstance(value, float) and math.isinf(value):
        beyond = 1 << x.value.type.width
        return (beyond, beyond) if value > 0 else (-beyond, -beyond)
    scaled = Fraction(value or 0) * Fraction(2) ** f
    if x.value.type.error:
        return round(scaled), round(scaled) + 1
    return math.ceil(scaled), math.floor(scaled) + 1


def _compared(rows: RowBuild, name: str, x: Secret, least: int, above: int) -> Value:
    """A comparison of ring elements with a value: least, above as of `_thresholds`."""
    if name in {"equal", "not_equal"}:
        found = within(rows, x, [(least, above - 1)] if least < above else [])
        return found if name == "equal" else rows.inverse(found)
    found = _reaches(rows, x, least if name in {"greater_equal", "less"} else above)
    return found if name in {"greater_equal", "greater"} else rows.inverse(found)


def _plainly(name: str, element: int, least: int, above: int) -> bool:
    """The same of one ring element that is known."""
    return {
        "equal": least <= element < above,
        "not_equal": not least <= element < above,
        "less": element < least,
        "less_equal": element < above,
        "greater": element >= above,
        "greater_equal": element >= least,
    }[name]


def within(rows: RowBuild, x: Secret, intervals: Iterable[tuple[int, int]]) -> Value:
    """Bits that say whether ring elements are in one of some intervals, both ends included."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(set(intervals)):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    found: Value | None = None
    for low, high in merged:
        upper, lower = _reaches(rows, x, low), _reaches(rows, x, high + 1)
        bit = rows.bit(rows.builder.add(Subtract(), upper, lower))
        found = bit if found is None else rows.bit(rows.builder.add(Add(), found, bit))
    return rows.bit(rows.constant(0)) if found is None else found


def _comparison(name: str) -> Lowering:
    def lower(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
        a, b = arguments
        if isinstance(a, Public) and isinstance(b, Secret):
            return _with_public(rows, _MIRRORED.get(name, name), b, a)
        if isinstance(b, Public):
            return _with_public(rows, name, rows.secret(a), b)
        return _of_columns(rows, name, rows.secret(a), b)

    return lower


def _with_public(rows: RowBuild, name: str, x: Secret, other: Public) -> Secret:
    if other.value is None:
        return Secret("bool", rows.bit(rows.constant(0)), rows.bit(rows.constant(0)), 0)
    ends = _thresholds(x, other.value)
    blank = None if x.blank is None else int(_plainly(name, x.blank, *ends))
    return Secret("bool", _compared(rows, name, x, *ends), x.there, blank)


def _of_columns(rows: RowBuild, name: str, a: Secret, b: Secret) -> Secret:
    if a.domain != b.domain:
        raise before_sharing("comparing text of columns with different stated values")
    away = Secret("int", rows.difference(a.value, b.value))
    return Secret("bool", _compared(rows, name, away, 0, 1), rows.both(a.there, b.there), None)


def _is_in(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    x, *others = arguments
    column, intervals = rows.secret(x), []
    for other in others:
        if isinstance(other, Secret):
            raise before_sharing("isin of a column's values")
        if other.value is not None:
            least, above = _thresholds(column, other.value)
            intervals += [(least, above - 1)] if least < above else []
    found = within(rows, column, intervals)
    blank = None if column.blank is None else int(any(low <= column.blank <= high for low, high in intervals))
    bits = Secret("bool", found, column.there, blank)
    return Secret("bool", rows.filled(bits, 0))


LOWERINGS: Mapping[str, Lowering] = {
    **{name: _comparison(name) for name in ("equal", "not_equal", *_MIRRORED)},
    "is_in": _is_in,
}
