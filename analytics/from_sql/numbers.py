"""Numbers as SQL rounds and divides them: halves away from zero, remainders with the sign of what is divided."""

from __future__ import annotations

from functools import reduce

from analytics.from_sql.source import Node
from analytics.from_sql.translate import NULL, Mapped, Translator
from icm_ray.query.expressions.tree import Expression, Literal, Of, literal

__all__ = ["divided", "divided_whole", "extreme", "power", "remainder", "root", "rounded", "to_whole"]

_MOST_DECIMALS = 15
_WHOLE = frozenset({"int", "bool"})


def _public(of: Of) -> int | float | None:
    """The number that an expression is, where it is one that everybody knows."""
    if isinstance(of, str) or len(of.nodes) > 1 or not isinstance(of.nodes[0], Literal):
        return None
    value = of.nodes[0].value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def divided(to: Translator, node: Node) -> Of:
    """A float, also of integers; dialects that would give an integer, or NULL where the divisor is 0, do so."""
    value, by = (_plain(to, node, to.of(part)) for part in (node.this, node.expression))
    if node.args.get("typed") and {to.typed(value).kind, to.typed(by).kind} <= _WHOLE:
        return _cut(to, node, value, by)
    if not node.args.get("safe"):
        return to.apply(node, "divide", value, by)
    zero = to.apply(node, "equal", by, literal(0))
    return to.apply(node, "where", zero, NULL, to.apply(node, "divide", value, by))


def _plain(to: Translator, node: Node, of: Of) -> Of:
    """Decimals as floats: quotients of them are."""
    return to.apply(node, "cast", of, options=("float",)) if to.typed(of).kind.startswith("decimal") else of


def divided_whole(to: Translator, node: Node) -> Of:
    """x // y of whole numbers."""
    return _cut(to, node, to.of(node.this), to.of(node.expression))


def _cut(to: Translator, node: Node, value: Of, by: Of) -> Of:
    """A quotient of whole numbers without its fraction: |x| // |y| with its sign."""
    divisor = _public(by)
    if not isinstance(divisor, int) or not divisor or to.typed(value).kind not in _WHOLE:
        what = f"{to.source.shown(node)}, whose fraction {to.source.dialect} cuts off"
        raise to.source.unsupported(node, what, "divide whole numbers by one that is written out, or CAST AS DOUBLE")
    size = to.apply(node, "floor_divide", to.apply(node, "abs", value), literal(abs(divisor)))
    negative = to.apply(node, "less" if divisor > 0 else "greater", value, literal(0))
    return to.apply(node, "where", negative, to.apply(node, "negate", size), size)


def remainder(to: Translator, node: Node) -> Of:
    """x % y has the sign of x; NULL where y is 0."""
    value, by = to.of(node.this), to.of(node.expression)
    divisor = _public(by)
    positive: Of = to.apply(node, "abs", by) if divisor is None else literal(abs(divisor))
    size = to.apply(node, "modulo", to.apply(node, "abs", value), positive)
    negative = to.apply(node, "less", value, literal(0))
    return to.apply(node, "where", negative, to.apply(node, "negate", size), size)


def rounded(to: Translator, node: Node) -> Of:
    """ROUND(x, n): halves away from zero, as SQL has it."""
    value, decimals = to.of(node.this), 0
    if (given := node.args.get("decimals")) is not None:
        number = _public(to.of(given))
        if not isinstance(number, int) or not 0 <= number <= _MOST_DECIMALS:
            raise to.source.unsupported(given, "ROUND", f"it takes 0 to {_MOST_DECIMALS} decimals, written out")
        decimals = number
    if to.typed(value).kind == "int":
        return value
    unit, size = literal(10.0**decimals), to.apply(node, "abs", value)
    scaled = to.apply(node, "multiply", size, unit)
    below = _floor(to, node, scaled)
    rest = to.apply(node, "subtract", scaled, below)
    lost = to.apply(node, "greater_equal", _lost(to, node, size, 10.0**decimals, scaled), literal(0.0))
    half = to.apply(node, "and", to.apply(node, "equal", rest, literal(0.5)), lost)
    up = to.apply(node, "or", to.apply(node, "greater", rest, literal(0.5)), half)
    near = to.apply(node, "where", up, to.apply(node, "add", below, literal(1.0)), below)
    size = to.apply(node, "divide", near, unit)
    return to.apply(node, "where", to.apply(node, "less", value, literal(0)), to.apply(node, "negate", size), size)


def _lost(to: Translator, node: Node, x: Of, unit: float, product: Of) -> Expression:
    """x unit - fl(x unit), exactly (Dekker): where the product is rounded to a half, on which side of it it was."""
    splitter = float((1 << 27) + 1)
    high = unit * splitter - (unit * splitter - unit)
    low = unit - high
    scaled = to.apply(node, "multiply", x, literal(splitter))
    upper = to.apply(node, "subtract", scaled, to.apply(node, "subtract", scaled, x))
    lower = to.apply(node, "subtract", x, upper)
    lost = to.apply(node, "subtract", to.apply(node, "multiply", upper, literal(high)), product)
    for part, factor in ((upper, low), (lower, high), (lower, low)):
        lost = to.apply(node, "add", lost, to.apply(node, "multiply", part, literal(factor)))
    return lost


def _floor(to: Translator, node: Node, value: Of) -> Expression:
    return to.apply(node, "floor_divide", value, literal(1.0))


def to_whole(*, up: bool) -> Mapped:
    """FLOOR and CEIL."""

    def made(to: Translator, node: Node) -> Of:
        value = to.of(node.this)
        if to.typed(value).kind == "int":
            return value
        if not up:
            return _floor(to, node, value)
        return to.apply(node, "negate", _floor(to, node, to.apply(node, "negate", value)))

    return made


def power(to: Translator, node: Node) -> Of:
    """A float of an exponent that is written out."""
    exponent = _public(to.of(node.expression))
    if exponent is None:
        raise to.source.unsupported(node, to.source.shown(node), "write the exponent out")
    return _power(to, node, float(exponent))


def root(to: Translator, node: Node) -> Of:
    """SQRT: NULL of what is negative."""
    return _power(to, node, 0.5)


def _power(to: Translator, node: Node, exponent: float) -> Of:
    return to.apply(node, "power", to.of(node.this), options=[exponent])


def extreme(function: str) -> Mapped:
    """GREATEST and LEAST of one row; of some dialects NULL where one is, of others of those that are there."""

    def made(to: Translator, node: Node) -> Of:
        items = to.all_of([node.this, *node.expressions])
        if any(to.typed(item).kind == "bool" for item in items):
            raise to.source.unsupported(node, f"{to.source.shown(node)} of conditions", "join them with AND, OR")

        def of_two(one: Of, other: Of) -> Of:
            if node.args.get("ignore_nulls"):
                one, other = to.apply(node, "fill", one, other), to.apply(node, "fill", other, one)
            return to.apply(node, function, one, other)

        return reduce(of_two, items)

    return made
