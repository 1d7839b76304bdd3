"""What each construct of SQL becomes: a row for each, in the order in which the documentation lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import Final

from sqlglot import exp

from analytics.from_sql.numbers import divided, divided_whole, extreme, power, remainder, root, rounded, to_whole
from analytics.from_sql.source import Node
from analytics.from_sql.texts import has, like
from analytics.from_sql.times import alike, beside, cast_time, day_part, extracted, interval, subtracted, truncated
from analytics.from_sql.translate import NULL, Construct, Mapped, Translator, unless
from icm_ray.query.expressions.tree import Of, Scalar, literal

__all__ = ["FUNCTIONS"]

_WHOLE = re.compile(r"\d+")


def _two(function: str) -> Mapped:
    return lambda to, node: to.apply(node, function, *alike(to, node.this, node.expression))


def _one(function: str) -> Mapped:
    return lambda to, node: to.apply(node, function, to.of(node.this))


def _inner(to: Translator, node: Node) -> Of:
    return to.of(node.this)


def _logical(function: str) -> Mapped:
    return lambda to, node: to.apply(node, function, to.condition(node.this), to.condition(node.expression))


def _not(to: Translator, node: Node) -> Of:
    return to.apply(node, "not", to.condition(node.this))


def _literal(to: Translator, node: Node) -> Of:
    return to.value(node, _value_of(node))


def _value_of(node: Node) -> Scalar:
    return str(node.this) if node.args.get("is_string") else _number_of(node)


def _number_of(node: Node) -> int | float:
    return int(node.this) if _WHOLE.fullmatch(node.this) else float(node.this)


def _boolean(_: Translator, node: Node) -> Of:
    return literal(value=bool(node.this))


def _null(_: Translator, __: Node) -> Of:
    return NULL


def _negated(to: Translator, node: Node) -> Of:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return to.value(node, -_number_of(node.this))
    return to.apply(node, "negate", to.of(node.this))


def _is(to: Translator, node: Node) -> Of:
    if isinstance(node.expression, exp.Null):
        return unless(to, node, to.apply(node, "is_null", to.of(node.this)))
    if not isinstance(node.expression, exp.Boolean):
        raise to.source.unsupported(node, "IS", "compare with NULL, TRUE or FALSE", ("IS",))
    condition = to.condition(node.this)
    wanted = condition if node.expression.this else to.apply(node, "not", condition)
    return unless(to, node, to.apply(node, "fill", wanted, literal(value=False)))


def _same(to: Translator, node: Node) -> Of:
    """IS NOT DISTINCT FROM: NULL is the same as NULL."""
    one, other = to.of(node.this), to.of(node.expression)
    both = to.apply(node, "and", to.apply(node, "is_null", one), to.apply(node, "is_null", other))
    return to.apply(node, "or", both, to.apply(node, "fill", to.apply(node, "equal", one, other), literal(value=False)))


def _different(to: Translator, node: Node) -> Of:
    return to.apply(node, "not", _same(to, node))


def _in(to: Translator, node: Node) -> Of:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise to.source.unsupported(
            node, "IN (SELECT ...)", "reveal that question first, and write its values; or merge the frames", ("IN",)
        )
    value = to.of(node.this)
    return _listed(to, node, value, [beside(to, item, value) for item in node.expressions])


def _listed(to: Translator, node: Node, value: Of, items: list[Of]) -> Of:
    """Whether a value is one of several: neither where it is missing, nor where it is none and one of them is."""
    public = [item for item in items if not isinstance(item, str) and len(item.nodes) == 1 and item != NULL]
    public = [item for item in public if to.typed(item).kind != "null" and _is_literal(item)]
    found: list[Of] = []
    if public:
        among: Of = to.apply(node, "is_in", value, *dict.fromkeys(public))
        if to.typed(value).nullable:
            among = to.apply(node, "where", to.apply(node, "is_null", value), NULL, among)
        found.append(among)
    found += [to.apply(node, "equal", value, item) for item in items if item not in public]
    return found[0] if len(found) == 1 else to.apply(node, "or", *found)


def _is_literal(of: Of) -> bool:
    return not isinstance(of, str) and type(of.nodes[0]).__name__ == "Literal"


def _contained(to: Translator, node: Node) -> Of:
    """Of a text; and contains(['a', 'b'], x), as DuckDB writes IN."""
    if isinstance(node.this, exp.Array):
        return _listed(to, node, to.of(node.expression), to.all_of(node.this.expressions))
    return has("contains")(to, node)


def _between(to: Translator, node: Node) -> Of:
    if node.args.get("symmetric"):
        raise to.source.unsupported(node, "BETWEEN SYMMETRIC", "put the lesser limit first", ("BETWEEN",))
    above, below = (
        to.apply(node, function, *alike(to, node.this, node.args[limit]))
        for function, limit in (("greater_equal", "low"), ("less_equal", "high"))
    )
    return to.apply(node, "and", above, below)


def _case(to: Translator, node: Node) -> Of:
    operand = None if node.this is None else to.of(node.this)
    default = node.args.get("default")
    result = NULL if default is None else to.of(default)
    for branch in reversed(node.args["ifs"]):
        if operand is None:
            condition = to.condition(branch.this)
        else:
            condition = to.apply(branch, "equal", operand, to.of(branch.this))
        result = to.apply(branch, "where", condition, to.of(branch.args["true"]), result)
    return result


def _if(to: Translator, node: Node) -> Of:
    otherwise = node.args.get("false")
    return to.apply(
        node,
        "where",
        to.condition(node.this),
        to.of(node.args["true"]),
        NULL if otherwise is None else to.of(otherwise),
    )


def _coalesced(to: Translator, node: Node) -> Of:
    return reduce(lambda one, other: to.apply(node, "fill", one, other), to.all_of([node.this, *node.expressions]))


def _null_if(to: Translator, node: Node) -> Of:
    value, other = to.of(node.this), to.of(node.expression)
    return to.apply(node, "where", to.apply(node, "equal", value, other), NULL, value)


_INTEGERS: Final = frozenset({"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "INT128"})
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})


def _cast(to: Translator, node: Node) -> Of:
    target, value = node.args["to"].this.name, to.of(node.this)
    kind = to.typed(value).kind
    if (time := cast_time(to, node, target)) is not None:
        return time
    if target in _FLOATS and kind.startswith("decimal"):
        return to.apply(node, "cast", value, options=("float",))
    if target in _INTEGERS and kind in {"int", "bool"}:
        return value if kind == "int" else to.apply(node, "add", value, literal(0))
    if target in _FLOATS and kind in {"int", "bool", "float"}:
        return value if kind == "float" else to.apply(node, "multiply", value, literal(1.0))
    if target == "DECIMAL" and not node.args["to"].expressions and to.source.dialect == "postgres" and kind == "float":
        return value  # of any scale there
    if target == "BOOLEAN" and kind in {"int", "bool"}:
        return value if kind == "bool" else to.apply(node, "not_equal", value, literal(0))
    if target in {"VARCHAR", "TEXT"} and kind == "string":
        return value
    raise to.source.unsupported(
        node, f"CAST of {kind} AS {to.source.shown(node.args['to'])}", "compute with it as it is", ("CAST", "::")
    )


FUNCTIONS: Final[Mapping[type[Node], Construct]] = {
    exp.Paren: Construct(_inner),
    exp.Alias: Construct(_inner, ("alias",)),
    exp.Literal: Construct(_literal, ("is_string",)),
    exp.Boolean: Construct(_boolean),
    exp.Null: Construct(_null),
    exp.Add: Construct(_two("add")),
    exp.Sub: Construct(subtracted),
    exp.Mul: Construct(_two("multiply")),
    exp.Div: Construct(divided, ("typed", "safe")),
    exp.IntDiv: Construct(divided_whole),
    exp.Mod: Construct(remainder),
    exp.Neg: Construct(_negated),
    exp.Abs: Construct(_one("abs")),
    exp.Round: Construct(rounded, ("decimals", "casts_non_integer_decimals")),
    exp.Floor: Construct(to_whole(up=False)),
    exp.Ceil: Construct(to_whole(up=True)),
    exp.Pow: Construct(power),
    exp.Sqrt: Construct(root),
    exp.Greatest: Construct(extreme("maximum"), ("expressions", "ignore_nulls")),
    exp.Least: Construct(extreme("minimum"), ("expressions", "ignore_nulls")),
    exp.EQ: Construct(_two("equal")),
    exp.NEQ: Construct(_two("not_equal")),
    exp.LT: Construct(_two("less")),
    exp.LTE: Construct(_two("less_equal")),
    exp.GT: Construct(_two("greater")),
    exp.GTE: Construct(_two("greater_equal")),
    exp.NullSafeEQ: Construct(_same),
    exp.NullSafeNEQ: Construct(_different),
    exp.Between: Construct(_between, ("low", "high", "symmetric")),
    exp.In: Construct(_in, ("expressions", "query", "unnest", "field")),
    exp.Like: Construct(like(caseless=False), ("negate",)),
    exp.ILike: Construct(like(caseless=True), ("negate",)),
    exp.StartsWith: Construct(has("starts_with")),
    exp.EndsWith: Construct(has("ends_with")),
    exp.Contains: Construct(_contained),
    exp.Length: Construct(_one("length")),
    exp.Lower: Construct(_one("lower")),
    exp.Upper: Construct(_one("upper")),
    exp.And: Construct(_logical("and")),
    exp.Or: Construct(_logical("or")),
    exp.Not: Construct(_not),
    exp.Is: Construct(_is, ("negate",)),
    exp.Case: Construct(_case, ("ifs", "default")),
    exp.If: Construct(_if, ("true", "false")),
    exp.Coalesce: Construct(_coalesced, ("expressions",)),
    exp.Nullif: Construct(_null_if),
    exp.Cast: Construct(_cast, ("to",)),
    exp.Extract: Construct(extracted),
    exp.Year: Construct(day_part("year")),
    exp.Month: Construct(day_part("month")),
    exp.Day: Construct(day_part("day")),
    exp.DateTrunc: Construct(truncated, ("unit",)),
    exp.TimestampTrunc: Construct(truncated, ("unit",)),
    exp.Interval: Construct(interval, ("unit",)),
}
