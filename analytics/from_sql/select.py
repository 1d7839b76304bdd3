"""A SELECT: rows that are chosen and computed with stay with their owners; what is aggregated of them is opened, and
whatever follows from that alone is computed after it.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlglot import exp

from analytics.execute import Part
from analytics.from_sql.aggregates import Measure, is_aggregate, is_answered, measure
from analytics.from_sql.domains import Domains, Key, key_of
from analytics.from_sql.functions import FUNCTIONS
from analytics.from_sql.reading import set_operation
from analytics.from_sql.source import Node, Source
from analytics.from_sql.table import Step, Table
from analytics.from_sql.translate import Translator
from analytics.meant import Meant
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of, Scalar
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.count import Count
from icm_ray.query.tasks import ColumnInfo
from icm_ray.query.withheld import Withheld

__all__ = ["Context", "Opened", "RowsOf", "relation"]


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows that nobody opens. meant: which. columns: by name what each holds."""

    meant: Meant
    columns: Mapping[str, Of]


@dataclass(frozen=True, slots=True)
class Opened:
    """What is opened, and what follows from it. parts: what is asked. keys: by what it is grouped. first: the table of
    the results of the parts. steps: what is computed of it, one after the other. said: the same in words. infos: of the
    columns.
    """

    parts: tuple[Part, ...]
    first: Callable[[Sequence[Any]], Table]
    infos: tuple[ColumnInfo, ...]
    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()


Relation = RowsOf | Opened


@dataclass(frozen=True, slots=True)
class Context:
    """source: the text. tables: by name what can be selected from. domain: by name the public values of columns."""

    source: Source
    tables: Mapping[str, Relation]
    domain: Mapping[str, Sequence[Scalar]]

    def within(self, name: str, found: Relation) -> Context:
        """With another table beside."""
        return Context(self.source, {**self.tables, name: found}, self.domain)


_TAKEN = frozenset({"with_", "expressions", "from_", "where", "group", "having", "order", "limit", "offset"})
_REFUSED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "joins": ("JOIN", "merge the frames first, and ask of the merged one", ("JOIN", ",")),
    "distinct": ("DISTINCT", "GROUP BY the columns: each group is there once", ("DISTINCT",)),
    "windows": ("WINDOW", "GROUP BY gives results for groups; those of rows are not opened", ("WINDOW",)),
    "qualify": ("QUALIFY", "HAVING chooses among groups", ("QUALIFY",)),
    "pivots": ("PIVOT", "GROUP BY the column, and pivot the DataFrame", ("PIVOT", "UNPIVOT")),
    "laterals": ("LATERAL", "compute columns in a SELECT of their own", ("LATERAL",)),
    "sample": ("a sample of rows", "results are of all rows", ("SAMPLE", "TABLESAMPLE")),
    "into": ("INTO", "SQL asks questions here, and changes nothing", ("INTO",)),
    "kind": ("SELECT AS", "name the columns", ("AS",)),
}


def relation(context: Context, node: Node) -> Relation:
    """What a SELECT, or what is behind FROM, stands for. Errors: `UnsupportedError`, `ColumnError`, `InputError`."""
    source = context.source
    if isinstance(node, exp.SetOperation):
        raise set_operation(source, node)
    if isinstance(node, exp.Subquery):
        _only(source, node, frozenset({"this", "alias", "with_"}))
        return relation(_with(context, node), node.this)
    if isinstance(node, exp.Table):
        _only(source, node, frozenset({"this", "alias"}))
        if node.name not in context.tables:
            known = ", ".join(context.tables) or "none"
            instead = f"give the frame by that name, an.sql(text, {node.name}=frame); there are {known}"
            raise source.unsupported(node, f"there is no table {node.name!r}", instead)
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            raise source.unsupported(node, "other names for a table's columns", "SELECT them AS these in a subquery")
        return context.tables[node.name]
    if not isinstance(node, exp.Select):
        raise source.unsupported(node, node.key.upper(), "rows come from frames, and from SELECTs of them")
    _only(source, node, _TAKEN)
    context = _with(context, node)
    if node.args.get("from_") is None:
        raise source.unsupported(node, "a SELECT without FROM", "say of which frame")
    behind = relation(context, node.args["from_"].this)
    _check_names(source, node)
    if isinstance(behind, Opened):
        return _of_opened(source, node, behind)
    return _of_rows(context, node, behind)


def _check_names(source: Source, select: exp.Select) -> None:
    """Refuse columns of a table that is not there, and two columns of one name."""
    behind = select.args["from_"].this.alias_or_name
    for node in select.find_all(exp.Column):
        if node.find_ancestor(exp.Select) is select and node.table and node.table != behind:
            raise source.unsupported(node, f"there is no table {node.table!r}", f"the rows are those of {behind!r}")
    if isinstance(select.parent, exp.Subquery | exp.CTE):
        names = [item.alias_or_name for item in select.expressions]
        for name in names:
            if names.count(name) > 1:
                raise source.unsupported(
                    select, f"two columns {name!r}", "give each a name of its own, AS", ("SELECT",)
                )


def _with(context: Context, node: Node) -> Context:
    """With the tables that are named before."""
    named = node.args.get("with_")
    if named is None:
        return context
    if named.args.get("recursive"):
        raise context.source.unsupported(node, "WITH RECURSIVE", "tables refer to those before them", ("RECURSIVE",))
    for table in named.expressions:
        context = context.within(table.alias, relation(context, table.this))
    return context


def _only(source: Source, node: Node, taken: frozenset[str]) -> None:
    """Refuse whatever else there is beside these parts."""
    for name, value in node.args.items():
        if value and name not in taken:
            part = value[0] if isinstance(value, list) else value
            what, instead, words = _REFUSED.get(name, (name.strip("_").upper(), "leave it out", (name.upper(),)))
            raise source.unsupported(part if isinstance(part, exp.Expr) else node, what, instead, words)


def _own(node: Node) -> Sequence[Node]:
    """The nodes of an expression without those of SELECTs in it."""
    return list(node.walk(prune=lambda part: isinstance(part, exp.Query)))


def _column(source: Source, node: Node, columns: Mapping[str, Of]) -> Of | None:
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


def _of_rows(context: Context, select: exp.Select, behind: RowsOf) -> Relation:
    source, meant = context.source, behind.meant
    of_rows = Translator(source, meant.info, lambda node: _of_row(source, node, behind.columns), FUNCTIONS)
    if (where := select.args.get("where")) is not None:
        meant = _chosen(source, meant, of_rows.condition(where.this), where)
    outputs = [select.args.get(name) for name in ("having", "order")]
    nodes = [part for item in (*select.expressions, *filter(None, outputs)) for part in _own(item)]
    if select.args.get("group") is None and not any(map(is_aggregate, nodes)):
        for name in ("having", "order", "limit", "offset"):
            if select.args.get(name) is not None:
                what = "ORDER BY" if name == "order" else name.upper()
                raise source.unsupported(
                    select.args[name], f"{what} of rows", "it is for groups, whose results are opened", (what,)
                )
        return RowsOf(meant, {item.alias_or_name: of_rows.of(item) for item in select.expressions})
    return _Grouped(context, select, of_rows, meant).opened()


def _of_row(source: Source, node: Node, columns: Mapping[str, Of]) -> Of | None:
    """What stands for a column. Errors: those of `_column`; `UnsupportedError` for a value of many rows."""
    if is_aggregate(node) and is_answered(node):
        where = "aggregates stand in SELECT, HAVING and ORDER BY, and not within one another"
        raise source.unsupported(node, f"{source.shown(node)} of a row", where)
    return _column(source, node, columns)


def _chosen(source: Source, meant: Meant, condition: Of, node: Node) -> Meant:
    try:
        return meant.chosen(condition)
    except ColumnError as error:
        raise source.wrong(node, error) from None


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Rows of which aggregates are asked, in groups or as one."""

    context: Context
    select: exp.Select
    of_rows: Translator
    meant: Meant
    measures: dict[Node, tuple[str, Measure]] = field(default_factory=dict)

    def opened(self) -> Opened:
        by = self._by()
        keys = [self._key(node) for node in by]
        groups = tuple(key.group for key in keys)
        self._check(Selection(self.meant.dataset.facts.name, self.meant.where, groups))
        for item in (*self.select.expressions, *filter(None, map(self.select.args.get, ("having", "order")))):
            self._measured(item, by)
        infos = [*map(self._info, range(len(by)), by, keys), *map(_info_of, self.measures.values())]
        having = self.select.args.get("having")
        step, said = _step(self.context.source, self.select, infos, lambda node: self._leaf(node, by), having)
        parts, places = self._parts(groups)
        first = _First(
            tuple(infos), tuple(key.values for key in keys), tuple(places), tuple(m for _, m in self.measures.values())
        )
        return Opened(parts, first, _outputs(step, infos), (step,), said)

    def _by(self) -> list[Node]:
        group = self.select.args.get("group")
        if group is None:
            return []
        if group.args.get("all"):
            return [item.unalias() for item in self.select.expressions if not any(map(is_aggregate, _own(item)))]
        source = self.context.source
        for name in ("rollup", "cube", "grouping_sets", "totals"):
            if group.args.get(name):
                raise source.unsupported(group, name.upper().replace("_", " "), "ask each grouping by itself")
        return list(dict.fromkeys(node.unnest() for node in group.expressions))

    def _key(self, node: Node) -> Key:
        """Errors: `InputError` where its values are not public."""
        source = self.context.source
        of = self.of_rows.of(node)
        values = Domains(self.context.domain, self.meant.where, self.meant.info).of(of)
        names = [item.alias for item in self.select.expressions if isinstance(item, exp.Alias) and item.this == node]
        for name in names:
            if not isinstance(of, str) and name in self.context.domain:
                values = tuple(dict.fromkeys(self.context.domain[name]))
        if values is None:
            name = of if isinstance(of, str) else next(iter(names), source.shown(node))
            line, column = source.place(node)
            raise InputError(
                f"line {line}, column {column}: the values of {name!r} are not public; state those to group by: "
                f"an.sql(..., domain={{{name!r}: [...]}}), or WHERE {name} IN (...)",
                line=line,
                position=column,
            )
        return key_of(of, self.meant.info(of), values)

    def _check(self, selection: Selection) -> None:
        """Refuse keys that cannot be, before anything is asked."""
        try:
            SelectedRows(selection, self.meant.dataset.facts)
        except ColumnError as error:
            raise self.context.source.wrong(self.select.args.get("group") or self.select, error) from None

    def _measured(self, item: Node, by: Sequence[Node]) -> None:
        """Ask for the aggregates of an expression."""
        for node in item.walk(
            prune=lambda part: isinstance(part, exp.Query | exp.Window) or part in by or is_aggregate(part)
        ):
            if is_aggregate(node) and node not in self.measures:
                self.measures[node] = (f"aggregate {len(self.measures)}", measure(self.of_rows, node))

    def _leaf(self, node: Node, by: Sequence[Node]) -> Of | None:
        """What stands for a key or an aggregate, among what is opened."""
        if node in by:
            return f"key {list(by).index(node)}"
        if node in self.measures:
            return self.measures[node][0]
        if isinstance(node, exp.Column):
            name = self.context.source.shown(node.this)
            raise self.context.source.unsupported(
                node, f"the values of {name} in rows", f"GROUP BY {name}, or aggregate it: AVG({name})"
            )
        return None

    def _info(self, number: int, node: Node, key: Key) -> ColumnInfo:
        found = self.of_rows.typed(self.of_rows.of(node))
        return ColumnInfo(f"key {number}", found.kind, nullable=None in key.values)

    def _parts(self, groups: tuple[Any, ...]) -> tuple[tuple[Part, ...], list[tuple[int, ...]]]:
        """What is asked, each once, and where the results of each measure are among them; the number of rows first."""
        parts: dict[tuple[Any, Any], tuple[int, Part]] = {}

        def place(meant: Meant, make: Callable[[str], Any]) -> int:
            part = meant.part(make(meant.name(groups)), groups)
            return parts.setdefault((part.statistic, part.selection), (len(parts), part))[0]

        if groups or not self.measures:
            place(self.meant, lambda name: Count(name, EVERY_ROW))
        places = []
        for _, found in self.measures.values():
            meant = self.meant if found.condition is None else self.meant.chosen(found.condition)
            places.append(tuple(place(meant, make) for make in found.statistics))
        return tuple(part for _, part in parts.values()), places


def _info_of(measured: tuple[str, Measure]) -> ColumnInfo:
    name, found = measured
    return ColumnInfo(name, found.kind)


@dataclass(frozen=True, slots=True)
class _First:
    """The table of what is opened: keys, then measures; a row for each group that has rows."""

    infos: tuple[ColumnInfo, ...]
    domains: tuple[tuple[Scalar, ...], ...]
    places: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]

    def __call__(self, results: Sequence[Any]) -> Table:
        if self.domains:
            cells = list(itertools.product(*self.domains))
            there = [cell for cell, rows in enumerate(results[0]) if isinstance(rows, Withheld) or rows]
            there.sort(key=lambda cell: [(value is None, value) for value in cells[cell]])
        else:
            cells, there = [()], [0]
            results = [[result] for result in results]
        keys = [tuple(cells[cell][at] for cell in there) for at in range(len(self.domains))]
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


def _outputs(step: Step, infos: Sequence[ColumnInfo]) -> tuple[ColumnInfo, ...]:
    return Table(tuple(infos), ((),) * len(infos), 0).then(step).infos


def _of_opened(source: Source, select: exp.Select, behind: Opened) -> Opened:
    """A SELECT of results: it is computed after these are opened."""
    columns: dict[str, Of] = {info.name: info.name for info in behind.infos}
    for item in (*select.expressions, *filter(None, map(select.args.get, ("where", "having", "group")))):
        found = next((part for part in _own(item) if is_aggregate(part)), None)
        if found is not None or isinstance(item, exp.Group | exp.Having):
            raise source.unsupported(
                found or item, "an aggregate of results", "ask for it of rows, or compute it from the DataFrame"
            )
    where = select.args.get("where")
    step, said = _step(source, select, behind.infos, lambda node: _column(source, node, columns), where)
    return Opened(
        behind.parts, behind.first, _outputs(step, behind.infos), (*behind.steps, step), (*behind.said, *said)
    )


def _step(
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
