"""Dates, times, intervals and decimals of SQL, as expressions of columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from sqlglot import exp

from analytics.from_sql.source import Node
from analytics.from_sql.translate import Mapped, Translator
from analytics.public_values import literal_of
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.expressions.tree import Of, literal

__all__ = ["alike", "beside", "cast_time", "day_part", "extracted", "interval", "subtracted", "truncated"]

_DATE, _TIMESTAMP = "date32[day]", "timestamp[us]"


def alike(to: Translator, one: Node, other: Node) -> tuple[Of, Of]:
    """Two operands, of which one that is written out is as `beside` the other."""
    if isinstance(_unsigned(one), exp.Literal):
        second = to.of(other)
        return beside(to, one, second), second
    first = to.of(one)
    return first, beside(to, other, first)


def beside(to: Translator, node: Node, other: Of) -> Of:
    """An operand; text beside times is a time, a number beside decimals is a decimal, as they are written."""
    inner = _unsigned(node)
    if not isinstance(inner, exp.Literal):
        return to.of(node)
    kind = to.typed(other).kind
    unit = unit_kind(kind)
    if unit is None or inner.is_string is (unit.family is Family.DECIMAL):
        return to.of(node)
    if unit.family is Family.DECIMAL:
        return _public(to, node, Decimal(inner.name) * (-1 if inner is not node else 1), kind)
    if unit.family is Family.AWARE and _time(to, node, inner.name).tzinfo is None:
        raise to.source.unsupported(node, f"{inner.sql()} without a zone", "write its offset: '2024-01-31 12:00+00:00'")
    return _public(to, node, inner.name, kind)


def _unsigned(node: Node) -> Node:
    found: Node = node.this if isinstance(node, exp.Neg) else node
    return found


def _time(to: Translator, node: Node, text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise to.source.wrong(node, ColumnError(f"{text!r} is no time")) from None


def _public(to: Translator, node: Node, value: object, kind: str) -> Of:
    try:
        return literal_of(value, kind)
    except InputError as error:
        raise to.source.wrong(node, ColumnError(error.message)) from None


def cast_time(to: Translator, node: Node, target: str) -> Of | None:
    """CAST to DATE or TIMESTAMP: of text that is written out, of times to their day. None: it is another CAST."""
    if target not in {"DATE", "TIMESTAMP", "DATETIME", "TIMESTAMPNTZ"}:
        return None
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        time = _time(to, node, node.this.name)
        if time.tzinfo is not None:
            raise to.source.unsupported(node, f"{node.this.sql()} with a zone", "compare with it as text")
        if target == "DATE":
            return _public(to, node, time.date().isoformat(), _DATE)
        return _public(to, node, time.isoformat(), _TIMESTAMP)
    value = to.of(node.this)
    unit = unit_kind(to.typed(value).kind)
    if unit is None or unit.family is not Family.NAIVE:
        return None
    return to.apply(node, "date", value) if target == "DATE" else value if unit.unit != "day" else None


_PARTS: Final[Mapping[str, str]] = {
    "YEAR": "year", "MONTH": "month", "DAY": "day", "HOUR": "hour", "MINUTE": "minute", "QUARTER": "quarter",
    "DOY": "day_of_year", "DAYOFYEAR": "day_of_year",
}  # fmt: skip


def extracted(to: Translator, node: Node) -> Of:
    """EXTRACT(YEAR FROM day)."""
    name, value = node.this.name.upper(), to.of(node.expression)
    if name in _PARTS:
        return to.apply(node, "part", value, options=(_PARTS[name],))
    if name in {"DOW", "DAYOFWEEK", "ISODOW"} and to.source.dialect in {"duckdb", "postgres"}:
        monday = to.apply(node, "part", value, options=("day_of_week",))
        next_day = to.apply(node, "add", monday, literal(1))
        return next_day if name == "ISODOW" else to.apply(node, "modulo", next_day, literal(7))
    if name == "SECOND" and to.source.dialect == "duckdb":
        return to.apply(node, "part", value, options=("second",))
    instead = f"there are {', '.join(_PARTS)}"
    raise to.source.unsupported(node, f"EXTRACT({name})", instead, ("EXTRACT", "DATE_PART"))


def day_part(name: str) -> Mapped:
    """YEAR(day), MONTH(day), DAY(day)."""
    return lambda to, node: to.apply(node, "part", to.of(node.this), options=(name,))


_FLOORS: Final = {"DAY": "day", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second"}


def _from_first(function: str) -> Callable[[Translator, Node, Of], Of]:
    return lambda to, node, value: to.apply(
        node, "subtract", literal(1), to.apply(node, "part", value, options=(function,))
    )


_STARTS: Final[Mapping[str, Callable[[Translator, Node, Of], Of]]] = {
    "MONTH": _from_first("day"),
    "YEAR": _from_first("day_of_year"),
    "WEEK": lambda to, node, value: to.apply(node, "negate", to.apply(node, "part", value, options=("day_of_week",))),
}
"""How many days to add, to be at the first one."""


def truncated(to: Translator, node: Node) -> Of:
    """DATE_TRUNC('month', day): a date of dates, else a time."""
    given, value = node.args.get("unit"), to.of(node.this)
    name = "" if given is None else given.name.upper()
    unit = unit_kind(to.typed(value).kind)
    if unit is None or unit.family is not Family.NAIVE:
        reason = f"{to.source.shown(node)}: it takes dates and times without a zone, not {to.typed(value).kind}"
        raise to.source.wrong(node, ColumnError(reason))
    dates = unit.unit == "day"
    if name in _FLOORS and not dates:
        return to.apply(node, "floor", value, options=(1, _FLOORS[name]))
    if name == "DAY":
        return value
    if name not in _STARTS:
        known = ", ".join([*_STARTS, *([] if dates else _FLOORS)])
        raise to.source.unsupported(node, f"DATE_TRUNC to {name or 'that'}", f"there are {known}", ("DATE_TRUNC",))
    day = to.apply(node, "date", value)
    days = to.apply(
        node, "multiply", _public(to, node, dt.timedelta(days=1), "duration[s]"), _STARTS[name](to, node, value)
    )
    first = to.apply(node, "add", day, days)
    return to.apply(node, "date", first) if dates else first


_LENGTHS: Final = {"WEEK": "weeks", "DAY": "days", "HOUR": "hours", "MINUTE": "minutes", "SECOND": "seconds"}


def interval(to: Translator, node: Node) -> Of:
    """INTERVAL 3 DAY: lengths that are always the same."""
    unit, number = node.args.get("unit"), node.this
    name = "" if unit is None else unit.name.upper().removesuffix("S")
    if name not in _LENGTHS or not isinstance(number, exp.Literal):
        instead = f"a number that is written out, of {', '.join(_LENGTHS)}; months differ in length"
        raise to.source.unsupported(node, "INTERVAL", instead, ("INTERVAL",))
    try:
        length = dt.timedelta(**{_LENGTHS[name]: float(number.name)})
    except (ValueError, OverflowError):
        raise to.source.wrong(node, ColumnError(f"{number.name!r} is no number of {name}")) from None
    return _public(to, node, length, "duration[us]")


def subtracted(to: Translator, node: Node) -> Of:
    """x - y: of two dates the number of days."""
    one, other = alike(to, node.this, node.expression)
    found = to.apply(node, "subtract", one, other)
    dates = to.typed(one).kind == to.typed(other).kind == _DATE
    return to.apply(node, "days", found) if dates else found
