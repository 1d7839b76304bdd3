"""Expressions of SQL as expressions of columns, which owners evaluate, or whoever has the results. Conditions have
three values, as the catalogue's own functions have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from analytics.from_sql.source import Node, Source
from analytics.meant import Meant
from icm_ray.errors import ColumnError, InputError, UnsupportedError
from icm_ray.query.expressions.function import Typed
from icm_ray.query.expressions.tree import Expression, Of, Scalar, apply, literal
from icm_ray.query.expressions.typing import typed
from icm_ray.query.result_units import Ticks
from icm_ray.query.tasks import ColumnInfo

__all__ = ["NULL", "Construct", "Mapped", "Translator", "only", "refused", "unless"]

NULL = literal(None)

_REFUSALS: Mapping[type[Node], tuple[str, str, tuple[str, ...]]] = {
    exp.Window: ("a window function", "GROUP BY gives results for groups; those of rows are not opened", ("OVER",)),
    exp.Subquery: ("a SELECT inside of an expression", "reveal that question first, and write its result", ("SELECT",)),
    exp.Select: ("a SELECT inside of an expression", "reveal that question first, and write its result", ("SELECT",)),
    exp.Exists: ("EXISTS", "merge the frames, and ask of the merged one", ("EXISTS",)),
    exp.Placeholder: ("a parameter", "write its value", ("?",)),
    exp.Parameter: ("a parameter", "write its value", ()),
    exp.Star: ("*", "name the columns; COUNT(*) counts rows", ("*",)),
    exp.TryCast: ("TRY_CAST", "CAST, which refuses what it cannot make", ("TRY_CAST",)),
}


def refused(source: Source, node: Node) -> UnsupportedError:
    """The refusal of what has no counterpart."""
    if type(node) in _REFUSALS:
        what, instead, words = _REFUSALS[type(node)]
        return source.unsupported(node, what, instead, words)
    if isinstance(node, exp.AggFunc):
        text = source.shown(node)
        instead = "no such aggregate is answered here; docs/sql.md lists those that are"
        return source.unsupported(node, text, instead, tuple(type(node).sql_names()))
    name = node.name if isinstance(node, exp.Anonymous) else node.key
    return source.unsupported(node, name.upper(), "it is not answered; docs/sql.md lists what is")


@dataclass(frozen=True, slots=True)
class Translator:
    """column: the facts of a column by its name. leaf: what columns and aggregates stand for; None for all else.
    functions: what each construct of SQL becomes. meant: the rows; None: of what was opened.
    """

    source: Source
    column: Callable[[str], ColumnInfo]
    leaf: Callable[[Node], Of | None]
    functions: Mapping[type[Node], Construct]
    meant: Meant | None = None

    def ticks(self, of: Of, *, from_zero: bool = False) -> Ticks:
        """What a column of a kind that has a unit is as whole numbers."""
        if self.meant is None:
            return Ticks(apply("ticks", (of,)))
        return self.meant.ticks(of, from_zero=from_zero)

    def of(self, node: Node) -> Of:
        """A node as an expression.

        Errors: `UnsupportedError` for what has no counterpart, `ColumnError` for what cannot be, each with its place.
        """
        found = self.leaf(node)
        if found is not None:
            return found
        construct = self.functions.get(type(node))
        if construct is None:
            raise refused(self.source, node)
        only(self.source, node, construct.parts)
        return construct.make(self, node)

    def all_of(self, nodes: Sequence[Node]) -> list[Of]:
        """Several."""
        return [self.of(node) for node in nodes]

    def apply(self, node: Node, function: str, *arguments: Of, options: Sequence[Scalar] = ()) -> Expression:
        """A function of the catalogue. node: what it is of the text. Errors: `ColumnError`, with its place."""
        try:
            made = apply(function, arguments, options)
            self.typed(made)
        except ColumnError as error:
            raise self.source.wrong(node, error) from None
        return made

    def typed(self, of: Of) -> Typed:
        """The kind of an expression. Errors: `ColumnError`."""
        return typed(of, self.column)

    def value(self, node: Node, value: Scalar) -> Expression:
        """A public value. Errors: `UnsupportedError` for numbers beyond 64 bits."""
        try:
            return literal(value)
        except InputError as error:
            raise self.source.unsupported(node, str(value), error.message) from None

    def condition(self, node: Node) -> Of:
        """A node that is true, false or neither. Errors: `ColumnError` for any other."""
        of = self.of(node)
        kind = self.typed(of).kind
        if kind == "null":
            return self.apply(node, "and", of, literal(value=True))
        if kind != "bool":
            raise self.source.wrong(node, ColumnError(f"{self.source.shown(node)}: a condition is needed, not {kind}"))
        return of


def unless(to: Translator, node: Node, found: Of) -> Of:
    """The same, or the opposite where the text has NOT within."""
    return to.apply(node, "not", found) if node.args.get("negate") else found


Mapped = Callable[[Translator, Node], Of]
"""What a construct becomes."""


@dataclass(frozen=True, slots=True)
class Construct:
    """parts: those of sqlglot's node that `make` reads, beside its operands: whatever else there is is refused."""

    make: Mapped
    parts: tuple[str, ...] = ()


def only(source: Source, node: Node, parts: Sequence[str]) -> None:
    """Refuse a node that has more to it than what is read, which nothing else would notice."""
    for name, value in node.args.items():
        if value and name not in {"this", "expression", *parts}:
            what = f"{source.shown(node)} ({name.replace('_', ' ').strip()})"
            raise source.unsupported(node, what, "it is not answered; docs/sql.md lists what is")
