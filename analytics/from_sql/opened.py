"""What stands for rows, and what is opened: the table of results, and what follows from it after opening."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlglot import exp

from analytics.execute import Part
from analytics.from_sql.aggregates import Measure
from analytics.from_sql.functions import FUNCTIONS
from analytics.from_sql.private import PrivateGroups
from analytics.from_sql.second import Second
from analytics.from_sql.source import Node, Source
from analytics.from_sql.table import Step, Table
from analytics.from_sql.translate import Translator
from analytics.meant import Meant
from icm_ray.errors import ColumnError
from icm_ray.query.expressions.tree import Of, Scalar
from icm_ray.query.tasks import ColumnInfo
from icm_ray.query.withheld import Withheld

__all__ = ["First", "Opened", "Relation", "RowsOf", "column_named", "info_of", "outputs", "own", "step_of"]


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows that nobody opens. meant: which. columns: by name what each holds. tables: of joined rows the columns of
    each table, by its name. stated: of these by name the one under which a domain may state values. using: the keys of
    one name. turned: what gives the same rows where they are grouped by private values; None: these do.
    """

    meant: Meant
    columns: Mapping[str, Of]
    tables: Mapping[str, Mapping[str, Of]] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    using: frozenset[str] = frozenset()
    turned: Callable[[], RowsOf] | None = None

    def of(self, source: Source, node: Node) -> Of | None:
        """What the name of a column stands for. Errors: those of `column_named`."""
        if isinstance(node, exp.Coalesce) and self.tables:
            return self._of_using(source, node)
        if isinstance(node, exp.Column) and node.table in self.tables:
            return column_named(source, node, self.tables[node.table])
        if isinstance(node, exp.Column) and not node.table and node.name not in self.using:
            of = [f"{table}.{node.name}" for table, columns in self.tables.items() if node.name in columns]
            if len(of) > 1:
                raise source.unsupported(node, f"{node.name!r} is ambiguous", f"say of which table, {' or '.join(of)}")
        return column_named(source, node, self.columns)

    def _of_using(self, source: Source, node: exp.Coalesce) -> Of | None:
        """The first of the keys of one name, of which USING makes a COALESCE."""
        columns = [node.this, *node.expressions]
        if not all(isinstance(column, exp.Column) for column in columns):
            return None
        names = {column.name for column in columns}
        if {column.table for column in columns} != set(self.tables) or len(names) != 1 or not names <= self.using:
            return None
        return next(iter(self.tables.values()))[columns[0].name]


@dataclass(frozen=True, slots=True)
class Opened:
    """What is opened, and what follows from it. parts: what is asked. first: the table of the results of the parts.
    steps: what is computed of it, one after the other. said: the same in words. infos: of the columns. second: what is
    asked of the groups that the parts open, whose results follow theirs; None: nothing.
    """

    parts: tuple[Part, ...]
    first: Callable[[Sequence[Any]], Table]
    infos: tuple[ColumnInfo, ...]
    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()
    second: Second | None = None


Relation = RowsOf | Opened


def own(node: Node) -> Sequence[Node]:
    """The nodes of an expression without those of SELECTs in it."""
    return list(node.walk(prune=lambda part: isinstance(part, exp.Query)))


def column_named(source: Source, node: Node, columns: Mapping[str, Of]) -> Of | None:
    """What the name of a column stands for. Errors: `ColumnError` where there is none."""
    if not isinstance(node, exp.Column):
        return None
    if isinstance(node.this, exp.Star):
        return None
    if node.name in columns:
        return columns[node.name]
    close = difflib.get_close_matches(node.name, columns, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(columns)}"
    raise source.wrong(node, ColumnError(f"no column {node.name!r}; {hint}", column=node.name))


def info_of(measured: tuple[str, Measure]) -> ColumnInfo:
    """The facts of an aggregate, under its name."""
    name, found = measured
    return ColumnInfo(name, found.kind)


@dataclass(frozen=True, slots=True)
class First:
    """The table of what is opened: keys, then measures; a row for each group that has rows."""

    infos: tuple[ColumnInfo, ...]
    domains: tuple[tuple[Scalar, ...], ...]
    places: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]
    private: PrivateGroups | None = None

    def __call__(self, results: Sequence[Any]) -> Table:
        cells: Mapping[int, tuple[Any, ...]] | list[tuple[Any, ...]]
        if self.private is not None:
            cells = self.private.read(results)
            there = list(cells)
        elif self.domains:
            cells = list(itertools.product(*self.domains))
            there = [cell for cell, rows in enumerate(results[0]) if isinstance(rows, Withheld) or rows]
        else:
            cells, there = [()], [0]
            results = [[result] for result in results]
        there.sort(key=lambda cell: [(value is None, value) for value in cells[cell]])
        keys = [tuple(cells[cell][at] for cell in there) for at in range(len(self.infos) - len(self.measures))]
        values = [
            tuple(_read(found, [results[place][cell] for place in places]) for cell in there)
            for found, places in zip(self.measures, self.places, strict=True)
        ]
        return Table(self.infos, (*keys, *values), len(there))


def _read(found: Measure, results: Sequence[Any]) -> Any:
    kept = next((result for result in results if isinstance(result, Withheld)), None)
    if kept is not None:
        return kept
    value = found.read(*results)
    return value.item() if isinstance(value, np.generic) else value


def outputs(step: Step, infos: Sequence[ColumnInfo]) -> tuple[ColumnInfo, ...]:
    """The facts of what a step gives."""
    return Table(tuple(infos), ((),) * len(infos), 0).then(step).infos


def step_of(
    source: Source,
    select: exp.Select,
    infos: Sequence[ColumnInfo],
    leaf: Callable[[Node], Of | None],
    chosen: Node | None,
) -> tuple[Step, tuple[str, ...]]:
    """What a SELECT makes of opened results, those that meet a condition, and in words what of it is computed after
    opening.
    """
    facts = {info.name: info for info in infos}
    to = Translator(source, lambda name: facts[name], leaf, FUNCTIONS)
    columns = tuple((item.alias_or_name, to.of(item)) for item in select.expressions)
    named: dict[str, Of] = dict(columns)

    def or_alias(node: Node) -> Of | None:
        if isinstance(node, exp.Column) and not node.table and node.name in named:
            return named[node.name]
        return leaf(node)

    of_all = Translator(source, lambda name: facts[name], or_alias, FUNCTIONS)
    order: list[tuple[Of, bool, bool]] = []
    said = [source.shown(item) for item in select.expressions if not isinstance(named[item.alias_or_name], str)]
    having = None
    if chosen is not None:
        having = of_all.condition(chosen.this)
        said.append(source.shown(chosen))
    if (ordered := select.args.get("order")) is not None:
        order = [
            (of_all.of(item.this), bool(item.args.get("desc")), bool(item.args.get("nulls_first")))
            for item in ordered.expressions
        ]
        said.append(source.shown(ordered))
    limit, offset = (_number(source, select.args.get(name)) for name in ("limit", "offset"))
    said += [source.shown(select.args[name]) for name in ("limit", "offset") if select.args.get(name) is not None]
    return Step(columns, having, tuple(order), limit, offset or 0), tuple(" ".join(text.split()) for text in said)


def _number(source: Source, node: Node | None) -> int | None:
    """Of LIMIT and OFFSET."""
    if node is None:
        return None
    found = node.args.get("expression")
    if (
        isinstance(node, exp.Fetch | exp.Limit | exp.Offset)
        and isinstance(found, exp.Literal)
        and not found.is_string
        and found.this.isdigit()
    ):
        return int(found.this)
    raise source.unsupported(node, node.key.upper(), "a whole number is needed", (node.key.upper(),))
