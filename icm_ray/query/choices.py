"""What a computed column chooses by itself: `cost.where(id != 7, 0)` sums a filter, `age >= 90` is summed to a count.

Each condition in a column, and where it lacks a value that its inputs have, is held like a filter: its rows are in the
ledger, and 1 to k - 1 of them, or of the others, are withheld. Not so which values of one plain column are missing;
but of several, for `cost * lab`, or `lab.fillna(cost)`, leaves out the costs of those that lack a lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AddPublic, AssumeWidth, Scale
from icm_ray.ops.products import Product
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.complements import with_second
from icm_ray.query.entities import behind as behind_of
from icm_ray.query.entity_units import least
from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.function import Typed
from icm_ray.query.expressions.tree import (
    EVERY_ROW,
    Apply,
    Column,
    Expression,
    Literal,
    Node,
    Of,
    apply,
    columns_of,
    literal,
    nodes_of,
)
from icm_ray.query.expressions.typing import types_of
from icm_ray.query.merge import MergedRows
from icm_ray.query.partials import PartialAggregate, RowCount, Taken
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.small_cells import beside, few, or_empty, reaches
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count

__all__ = ["Counted", "both_sides", "choices", "chooses", "chosen_of"]

Counted = tuple[PartialAggregate | RowCount, PartialAggregate | RowCount]
"""The rows that a choice takes, and those among which it does."""


def choices(statistic: Statistic, rows: Rows) -> tuple[Of, ...]:
    """The conditions by which a statistic's columns choose rows, where there is a policy."""
    return tuple(dict.fromkeys(of for of, _ in _choices(statistic, rows)))


def chooses(of: Of, rows: Rows) -> bool:
    """Whether a column that is no condition itself chooses rows."""
    column = _Computed(of, rows)
    told = (*column.lacking(), *column.beside())
    return bool(told) or any(found != among for found, among in column.conditions())


def chosen_of(statistic: Statistic, rows: Rows) -> tuple[Counted, ...]:
    """For each of them what has to be counted."""
    found = dict.fromkeys(
        (
            behind_of(rows.policy, apply("where", (of, literal(value=True), literal(None)))),
            behind_of(rows.policy, among).substitute(rows),
        )
        for of, among in _choices(statistic, rows)
    )
    return tuple(found)


def both_sides(builder: Builder, behind: Value, among: Taken, policy: Policy, *, total: Taken | None) -> Value:
    """Bits: none of `among` are behind, or k and more; and so of the others. total: of all rows, where a cell that is
    withheld is what others leave of these, so that a second one has to be (`query.complements`); else None.
    """
    k = least(policy, policy.min_rows)
    others = _not(builder, few(builder, beside(builder, behind, among), k))
    if total is None:
        enough = reaches(builder, behind, k) if policy.hide_zeros else _not(builder, few(builder, behind, k))
        return _both(builder, enough, others)
    bits = _both(builder, reaches(builder, behind, k), others)
    bits = with_second(builder, behind, bits, k, zeros=not policy.hide_zeros, total=total)
    return bits if policy.hide_zeros else _both(builder, or_empty(builder, behind, bits), others)


def _both(builder: Builder, one: Value, other: Value) -> Value:
    return builder.add(AssumeWidth(2), builder.add(Product(Elementwise()), one, other))


def _not(builder: Builder, bits: Value) -> Value:
    return builder.add(AssumeWidth(2), builder.add(AddPublic(1), builder.add(Scale(-1), bits)))


def _choices(statistic: Statistic, rows: Rows) -> Iterator[tuple[Of, Of]]:
    """(a condition, values among which it chooses)."""
    if rows.policy is None or statistic.guards_itself or isinstance(rows, MergedRows):
        return
    for of in dict.fromkeys((statistic.column, getattr(statistic, "other", statistic.column))):
        column = _Computed(of, rows)
        yield from column.lacking()
        yield from column.beside()
        if not isinstance(statistic, Count):
            yield from column.conditions()


class _Computed:
    """A column, node by node."""

    def __init__(self, of: Of, rows: Rows) -> None:
        self._of, self._nodes = of, nodes_of(of)
        self._types = types_of(of, lambda name: column_of(rows, name))
        self._names = [name for name in columns_of(of) if column_of(rows, name).nullable]

    def _each(self, rule: Callable[[Apply, Sequence[bool]], bool], column: bool) -> list[bool]:
        """What a rule says of each node, from what it says of its arguments."""
        found: list[bool] = []
        for node in self._nodes:
            given = isinstance(node, Column) and column
            found.append(rule(node, found) if isinstance(node, Apply) else given)
        return found

    def _part(self, number: int) -> Of:
        """What one node stands for, without the nodes that it does not take."""
        node = self._nodes[number]
        if isinstance(node, Column):
            return node.name
        taken, left = set[int](), [number]
        while left:
            taken.add(at := left.pop())
            node = self._nodes[at]
            left += (
                [argument for argument in node.arguments if argument not in taken] if isinstance(node, Apply) else []
            )
        places = {at: place for place, at in enumerate(sorted(taken))}
        return Expression(tuple(_moved(self._nodes[at], places) for at in places))

    def conditions(self) -> Iterator[tuple[Of, Of]]:
        """The outermost conditions on columns."""
        reads = self._each(lambda node, found: any(found[argument] for argument in node.arguments), column=True)
        missing = self._of_missing()
        left, seen = [len(self._nodes) - 1], set[int]()
        while left:
            number = left.pop()
            if number in seen or not reads[number]:
                continue
            seen.add(number)
            node, part = self._nodes[number], self._part(number)
            if self._types[number].kind == "bool":
                if number == len(self._nodes) - 1:
                    yield part, part
                elif not missing[number]:
                    nullable = self._types[number].nullable
                    yield apply("fill", (part, literal(value=False))) if nullable else part, EVERY_ROW
            elif isinstance(node, Apply):
                left += node.arguments

    def lacking(self) -> Iterator[tuple[Of, Of]]:
        """Where a value is there, among the rows that have all inputs, of the column and of what is filled in it;
        nothing where no function makes one missing.
        """
        if isinstance(self._of, str):
            return
        made = self._makes_missing()
        filled = [node.arguments[0] for node in self._nodes if isinstance(node, Apply) and node.function == "fill"]
        for number in dict.fromkeys((len(self._nodes) - 1, *filled)):
            if made[number]:
                part = self._part(number)
                yield _is_there(part), _among([name for name in self._names if name in columns_of(part)])

    def beside(self) -> Iterator[tuple[Of, Of]]:
        """Where a plain column has values, among the rows that have another's, if a value is made of both."""
        if self._types[-1].kind == "bool":
            return
        names, missing = dict[str, None](), self._of_missing()
        left, seen = [len(self._nodes) - 1], set[int]()
        while left:
            number = left.pop()
            node = self._nodes[number]
            if isinstance(node, Column):
                names[node.name] = None
            elif isinstance(node, Apply) and number not in seen:
                seen.add(number)
                left += node.arguments if self._types[number].kind != "bool" or missing[number] else ()
        for name in names:
            for other in names:
                if name in self._names and other != name:
                    both = [one for one in (other, name) if one in self._names]
                    yield _all_there(both), _among(both[:-1])

    def _of_missing(self) -> list[bool]:
        """What says of plain columns whether a value is missing, and nothing else."""

        def rule(node: Apply, found: Sequence[bool]) -> bool:
            if node.function == "is_null":
                return isinstance(self._nodes[node.arguments[0]], Column)
            return node.function in {"and", "or", "not"} and all(found[argument] for argument in node.arguments)

        return self._each(rule, column=False)

    def _makes_missing(self) -> list[bool]:
        of_missing = self._of_missing()

        def rule(node: Apply, found: Sequence[bool]) -> bool:
            made = [found[argument] for argument in node.arguments]
            if node.function == "where":
                nothing = any(_is_nothing(self._nodes[argument]) for argument in node.arguments[1:])
                return any(made[1:]) or (nothing and not of_missing[node.arguments[0]])
            if node.function == "fill":
                return made[-1]
            if node.function == "divide" and self._divides_by_number(node):
                return made[0]
            arguments = [replace(self._types[at], nullable=lost) for at, lost in zip(node.arguments, made, strict=True)]
            return _nullable(node, arguments)

        return self._each(rule, column=False)

    def _divides_by_number(self, node: Apply) -> bool:
        divisor = self._nodes[node.arguments[1]]
        return isinstance(divisor, Literal) and bool(divisor.value)


def _nullable(node: Apply, arguments: Sequence[Typed]) -> bool:
    return FUNCTIONS[node.function].infer(arguments, node.options).nullable


def _moved(node: Node, places: Mapping[int, int]) -> Node:
    if not isinstance(node, Apply):
        return node
    return Apply(node.function, tuple(places[argument] for argument in node.arguments), node.options)


def _all_there(names: Sequence[str]) -> Of:
    there = [_is_there(name) for name in names]
    return there[0] if len(there) == 1 else apply("and", there)


def _among(names: Sequence[str]) -> Of:
    """A column that has a value where all of these have."""
    return apply("where", (_all_there(names), literal(value=True), literal(None))) if names else EVERY_ROW


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is None


def _is_there(of: Of) -> Of:
    return apply("not", (apply("is_null", (of,)),))
