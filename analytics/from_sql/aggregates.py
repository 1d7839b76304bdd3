"""What each aggregate of SQL asks for, and how its value follows from the statistics: a row for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlglot import exp

from analytics.from_sql.source import Node
from analytics.from_sql.translate import Translator, only, refused
from analytics.from_sql.values import read_ticks
from analytics.shown import in_kind
from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, decimal, unit_kind
from icm_ray.query.expressions.tree import EVERY_ROW, Of, apply, literal
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance

__all__ = ["AGGREGATES", "Maker", "Measure", "is_aggregate", "is_answered", "measure"]

Maker = Callable[[str], Statistic]
"""A statistic of rows that have a name."""


@dataclass(frozen=True, slots=True)
class Measure:
    """statistics: what is asked. read: SQL's value from theirs; None is NULL. kind: of that value. condition: the rows
    that count (FILTER), all for None. different: whose different values are counted; of their own groups, so that who
    asks makes the statistic.
    """

    statistics: tuple[Maker, ...]
    read: Callable[..., Any]
    kind: str
    condition: Of | None = None
    different: Of | None = None


def is_aggregate(node: Node) -> bool:
    """Whether it is one value of many rows."""
    return isinstance(node, exp.AggFunc | exp.Filter | exp.WithinGroup) or _by_name(node)


def _by_name(node: Node) -> bool:
    """Names that sqlglot does not know of: mean is DuckDB's AVG."""
    return isinstance(node, exp.Anonymous) and node.name.lower() in _NAMES


def is_answered(node: Node) -> bool:
    """Whether an aggregate is one of those below."""
    inner = node.this if isinstance(node, exp.Filter) else node
    return type(inner) in AGGREGATES or _by_name(inner)


def measure(to: Translator, node: Node) -> Measure:
    """What an aggregate asks. to: of the rows.

    Errors: `UnsupportedError` where there is no such aggregate, `ColumnError` for columns that it does not take.
    """
    by_name = _by_name(node)
    only(to.source, node, ("expressions",) if by_name else _PARTS.get(type(node), ()))
    if isinstance(node, exp.Filter):
        return replace(measure(to, node.this), condition=to.condition(node.expression.this))
    made = AGGREGATES.get(_NAMES[node.name.lower()] if by_name else type(node))
    if made is None:
        raise refused(to.source, node)
    return made(to, node)


def _argument(to: Translator, node: Node) -> Of:
    """Of what it is. Errors: `UnsupportedError` for several, DISTINCT or none."""
    inner = node.expressions[0] if isinstance(node, exp.Anonymous) and len(node.expressions) == 1 else node.this
    if isinstance(inner, exp.Distinct):
        text = to.source.shown(node)
        raise to.source.unsupported(node, text, "aggregates take all values here, without DISTINCT", ("DISTINCT",))
    if not isinstance(inner, exp.Expr) or (node.expressions and not isinstance(node, exp.Anonymous)):
        raise to.source.unsupported(node, to.source.shown(node), "it takes one argument")
    return to.of(inner)


def _check_numbers(to: Translator, node: Node, of: Of) -> None:
    kind = to.typed(of).kind
    if kind not in NUMBERS:
        raise to.source.wrong(node, ColumnError(f"{to.source.shown(node)}: it takes numbers, not {kind}"))


def _itself(value: Any) -> Any:
    return value


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _count(to: Translator, node: Node) -> Measure:
    if node.this is None or isinstance(node.this, exp.Star):
        return Measure((_counted(EVERY_ROW),), _itself, "int")
    if isinstance(node.this, exp.Distinct) and len(node.this.expressions) == 1:
        different = to.of(node.this.expressions[0])
        return Measure((lambda name: Distinct(name, different),), _itself, "int", different=different)
    of = _argument(to, node)
    return Measure((_counted(of if to.typed(of).nullable else EVERY_ROW),), _itself, "int")


def _counted(of: Of) -> Maker:
    return lambda name: Count(name, of)


def _count_if(to: Translator, node: Node) -> Measure:
    of = apply("where", (to.condition(node.this), literal(value=True), literal(None)))
    return Measure((_counted(of),), _itself, "int")


def _sum(to: Translator, node: Node) -> Measure:
    """NULL of nothing, so the number of values is asked for, too."""
    of = _argument(to, node)
    found = to.typed(of)
    counted = _counted(of if found.nullable else EVERY_ROW)
    if (unit := unit_kind(found.kind)) is not None and unit.family is Family.DECIMAL:
        ticks = to.ticks(of, from_zero=True)
        return Measure(
            (lambda name: Sum(name, ticks.of), counted),
            lambda total, count: in_kind(ticks.units(total), unit, "sum") if count else None,
            decimal(max(unit.digits, 38), unit.scale),
        )
    _check_numbers(to, node, of)
    return Measure(
        (lambda name: Sum(name, of), counted),
        lambda total, count: total if count else None,
        "float" if found.kind == "float" else "int",
    )


def _mean(to: Translator, node: Node) -> Measure:
    of = _argument(to, node)
    if (unit := unit_kind(to.typed(of).kind)) is not None and unit.family is Family.DECIMAL:
        ticks = to.ticks(of)
        return Measure(
            (lambda name: Mean(name, ticks.of),),
            lambda mean: _number(float(in_kind(ticks.units(mean), unit, "mean"))),
            "float",
        )
    _check_numbers(to, node, of)
    return Measure((lambda name: Mean(name, of),), _number, "float")


def _variance(ddof: int, *, root: bool) -> Callable[[Translator, Node], Measure]:
    def made(to: Translator, node: Node) -> Measure:
        of = _argument(to, node)
        _check_numbers(to, node, of)
        return Measure((lambda name: Variance(name, of, ddof, root),), _number, "float")

    return made


_ORDERED: Final = frozenset({"int", "float"})


def _quantile(to: Translator, node: Node, of: Node, fraction: Node | None) -> Measure:
    """Interpolated between two values. fraction: which part lies below; None: half."""
    q = 0.5 if fraction is None else _fraction(to, fraction)
    column = to.of(of)
    kind = to.typed(column).kind
    if kind not in _ORDERED:
        raise to.source.wrong(node, ColumnError(f"{to.source.shown(node)}: it takes numbers, not {kind}"))
    return Measure((lambda name: Quantile(name, column, q),), lambda value: _number(float(value)), "float")


def _fraction(to: Translator, node: Node) -> float:
    try:
        q = float(node.name) if isinstance(node, exp.Literal) and not node.is_string else math.nan
    except ValueError:
        q = math.nan
    if not 0 <= q <= 1:
        raise to.source.unsupported(node, to.source.shown(node), "one number from 0 to 1 is needed")
    return q


def _median(to: Translator, node: Node) -> Measure:
    return _quantile(to, node, node.this, None)


def _percentile(to: Translator, node: Node) -> Measure:
    """QUANTILE_CONT(x, q)."""
    if node.expression is None:
        raise to.source.unsupported(node, to.source.shown(node), "it takes WITHIN GROUP (ORDER BY x)")
    return _quantile(to, node, node.this, node.expression)


def _within(to: Translator, node: Node) -> Measure:
    """PERCENTILE_CONT(q) WITHIN GROUP (ORDER BY x)."""
    ordered = node.expression.expressions
    if not isinstance(node.this, exp.PercentileCont) or len(ordered) != 1 or ordered[0].args.get("desc"):
        instead = "PERCENTILE_CONT(q) WITHIN GROUP (ORDER BY x) is, upwards, of one column"
        raise to.source.unsupported(node, to.source.shown(node), instead)
    return _quantile(to, node, ordered[0].this, node.this.this)


def _extreme(*, least: bool) -> Callable[[Translator, Node], Measure]:
    def made(to: Translator, node: Node) -> Measure:
        if isinstance(node.this, exp.Distinct) and len(node.this.expressions) == 1:
            node = type(node)(this=node.this.expressions[0])  # the least of distinct values is that of all
        of = _argument(to, node)
        kind = to.typed(of).kind
        if unit_kind(kind) is not None:
            ticks = to.ticks(of)
            show = read_ticks(kind, ticks)
            return Measure(
                (lambda name: MinMax(name, ticks.of, least),),
                lambda value: None if math.isnan(value) else show(value),
                kind,
            )
        _check_numbers(to, node, of)

        def read(value: float) -> int | float | bool | None:
            if math.isnan(value):
                return None
            return bool(value) if kind == "bool" else value

        return Measure((lambda name: MinMax(name, of, least),), read, kind)

    return made


def _logical(*, least: bool) -> Callable[[Translator, Node], Measure]:
    """Whether all, or any, are true: the least, or the greatest, of booleans."""

    def made(to: Translator, node: Node) -> Measure:
        to.condition(node.this)
        return _extreme(least=least)(to, node)

    return made


_PARTS: Final[Mapping[type[Node], tuple[str, ...]]] = {exp.Count: ("big_int",), exp.CountIf: ("zero_on_all_null",)}
"""Those of nodes that change nothing here."""
_NAMES: Final[Mapping[str, type[Node]]] = {"mean": exp.Avg}

AGGREGATES: Final[Mapping[type[Node], Callable[[Translator, Node], Measure]]] = {
    exp.Count: _count,
    exp.CountIf: _count_if,
    exp.Sum: _sum,
    exp.Avg: _mean,
    exp.Min: _extreme(least=True),
    exp.Max: _extreme(least=False),
    exp.Stddev: _variance(1, root=True),
    exp.StddevSamp: _variance(1, root=True),
    exp.StddevPop: _variance(0, root=True),
    exp.Variance: _variance(1, root=False),
    exp.VariancePop: _variance(0, root=False),
    exp.LogicalAnd: _logical(least=True),
    exp.LogicalOr: _logical(least=False),
    exp.Median: _median,
    exp.PercentileCont: _percentile,
    exp.WithinGroup: _within,
}
