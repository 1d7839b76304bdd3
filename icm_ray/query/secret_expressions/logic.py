"""Conditions on shares, Kleene's where a value may be missing; choices, and what is missing itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AssumeWidth, Subtract
from icm_ray.ops.products import Product
from icm_ray.program.build import Value
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.secret_expressions.operand import Lowering, Operand, Public, RowBuild, Secret, before_sharing

__all__ = ["LOWERINGS"]


def _either(rows: RowBuild, a: Value, b: Value) -> Value:
    """a + b - a b."""
    return rows.bit(rows.difference(rows.sum(a, b), rows.times(a, b)))


def _sides(rows: RowBuild, x: Secret) -> tuple[Value, Value]:
    """Where it is true, and where it is false."""
    true = rows.filled(x, 0)
    false = rows.inverse(true) if x.there is None else rows.bit(rows.builder.add(Subtract(), x.there, true))
    return true, false


def _and(rows: RowBuild, a: Secret, b: Secret) -> Secret:
    if a.there is None and b.there is None:
        return Secret("bool", rows.times(a.value, b.value))
    (true, false), (other_true, other_false) = _sides(rows, a), _sides(rows, b)
    both, neither = rows.times(true, other_true), _either(rows, false, other_false)
    return Secret("bool", both, rows.bit(rows.sum(both, neither)), 0)


def _or(rows: RowBuild, a: Secret, b: Secret) -> Secret:
    return _not_of(rows, _and(rows, _not_of(rows, a), _not_of(rows, b)))


def _not_of(rows: RowBuild, x: Secret) -> Secret:
    return Secret("bool", rows.inverse(x.value), x.there, None if x.blank is None else 1 - x.blank)


def _all(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    return reduce(lambda a, b: _and(rows, a, b), map(rows.secret, arguments))


def _any(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    return reduce(lambda a, b: _or(rows, a, b), map(rows.secret, arguments))


def _not(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    return _not_of(rows, rows.secret(arguments[0]))


def _of_one_kind(rows: RowBuild, a: Operand, b: Operand) -> tuple[str, Secret, Secret, tuple[str, ...]]:
    """Both as shares of one kind: text of one domain, numbers."""
    domain = next((item.domain for item in (a, b) if isinstance(item, Secret) and item.domain), ())
    one, other = (_coded(rows, item, domain) for item in (a, b))
    kinds = {one.kind, other.kind} - {"null"}
    kind = next(iter(kinds), "null") if len(kinds) <= 1 else "float" if "float" in kinds else "int"
    return kind, one, other, domain


def _coded(rows: RowBuild, x: Operand, domain: tuple[str, ...]) -> Secret:
    if isinstance(x, Public) and isinstance(x.value, str):
        if x.value not in domain:
            raise before_sharing(f"text beside the stated values ({x.value!r})")
        return Secret("string", rows.constant(domain.index(x.value) + 1), domain=domain)
    found = rows.secret(x)
    if found.kind != "null" and found.domain != domain:
        raise before_sharing("mixing text of columns with different stated values")
    return found


def _chosen(rows: RowBuild, bit: Value, then: Value, otherwise: Value) -> Value:
    """bit (then - otherwise) + otherwise."""
    then, otherwise = rows.aligned(then, otherwise)
    away = rows.builder.add(Product(Elementwise()), bit, rows.difference(then, otherwise))
    chosen = rows.builder.add(Add(), away, otherwise)
    error = max(then.type.error, otherwise.type.error)
    return rows.builder.add(AssumeWidth(max(then.type.width, otherwise.type.width), error), chosen)


def _where(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    condition, then, otherwise = arguments
    bit = rows.filled(rows.secret(condition), 0)
    kind, a, b, domain = _of_one_kind(rows, then, otherwise)
    if b.kind == "null":
        return Secret(kind, a.value, rows.both(bit, a.there), None, domain)
    if a.kind == "null":
        return Secret(kind, b.value, rows.both(rows.inverse(bit), b.there), None, domain)
    value = _chosen(rows, bit, a.value, b.value)
    if a.there is None and b.there is None:
        return Secret(kind, value, domain=domain)
    one = rows.bit(rows.constant(1))
    there = rows.bit(_chosen(rows, bit, a.there or one, b.there or one))
    return Secret(kind, value, there, None, domain)


def _fill(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    value, instead = arguments
    if isinstance(value, Secret) and isinstance(instead, Public) and value.kind != "null":
        public = _in_units(value, instead)
        if value.there is None or instead.value is None:
            return value
        if public is not None:
            kind = "float" if instead.kind == "float" else value.kind
            return Secret(kind, rows.filled(value, public), domain=value.domain)
    kind, x, y, domain = _of_one_kind(rows, value, instead)
    if x.there is None or y.kind == "null":
        return Secret(kind, x.value, x.there, x.blank, domain)
    if x.kind == "null":
        return y
    filled = _chosen(rows, x.there, x.value, y.value)
    there = None if y.there is None else _either(rows, x.there, y.there)
    return Secret(kind, filled, there, None, domain)


def _in_units(x: Secret, instead: Public) -> int | None:
    """A public value in units of 2^-f of x; None where it is none, or no multiple of them."""
    if instead.value is None:
        return None
    if isinstance(instead.value, str):
        if instead.value not in x.domain:
            raise before_sharing(f"text beside the stated values ({instead.value!r})")
        return x.domain.index(instead.value) + 1
    if not math.isfinite(instead.value):
        raise before_sharing("what is infinite")
    numerator, denominator = (instead.value + 0).as_integer_ratio()
    whole, rest = divmod(numerator << x.value.type.f, denominator)
    return None if rest else whole


def _is_null(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    there = rows.secret(arguments[0]).there
    return Secret("bool", rows.bit(rows.constant(0)) if there is None else rows.inverse(there))


LOWERINGS: Mapping[str, Lowering] = {
    "and": _all,
    "or": _any,
    "not": _not,
    "where": _where,
    "fill": _fill,
    "is_null": _is_null,
}
