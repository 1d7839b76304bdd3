"""A SELECT: rows that are chosen and computed with stay with their owners; what is aggregated of them is opened, and
whatever follows from that alone is computed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlglot import exp

from analytics.distinct_values import part_of_different
from analytics.execute import Part
from analytics.from_sql.aggregates import Maker, Measure, is_aggregate, is_answered, measure
from analytics.from_sql.domains import Domains, Key, key_of
from analytics.from_sql.functions import FUNCTIONS
from analytics.from_sql.join import joined
from analytics.from_sql.opened import First, Opened, Relation, RowsOf, column_named, info_of, outputs, own, step_of
from analytics.from_sql.private import PrivateGroups, can_be_private, filtered, private_groups
from analytics.from_sql.reading import set_operation
from analytics.from_sql.second import Second, is_second
from analytics.from_sql.source import Node, Source
from analytics.from_sql.translate import Translator
from analytics.meant import Groups, Meant
from analytics.merged_meant import MergedMeant
from icm_ray.errors import BoundError, ColumnError, InputError, PolicyError, UnsupportedError
from icm_ray.query.disclosure import unanswered
from icm_ray.query.expressions.tree import EVERY_ROW, Of, Scalar
from icm_ray.query.partials import PartialAggregate
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.count import Count
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Context", "Opened", "RowsOf", "relation"]


@dataclass(frozen=True, slots=True)
class Context:
    """source: the text. tables: by name what can be selected from. domain: by name the public values of columns. room:
    for groups of private keys, and bytes of text that is one; None: as there is.
    """

    source: Source
    tables: Mapping[str, Relation]
    domain: Mapping[str, Sequence[Scalar]]
    room: tuple[int | None, int | None] = (None, None)

    def within(self, name: str, found: Relation) -> Context:
        """With another table beside."""
        return Context(self.source, {**self.tables, name: found}, self.domain, self.room)


_TAKEN = frozenset({"with_", "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset"})
_REFUSED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
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
    if joins := node.args.get("joins"):
        named = [(part.alias_or_name, part) for part in (node.args["from_"].this, *(join.this for join in joins[:1]))]
        tables = [(name, relation(context, part)) for name, part in named]
        behind = joined(source, node, tables, lambda rows: _translator(source, rows), context.room[1])
    if isinstance(behind, Opened):
        return _of_opened(source, node, behind)
    return _of_rows(context, node, behind)


def _check_names(source: Source, select: exp.Select) -> None:
    """Refuse columns of a table that is not there, and two columns of one name."""
    behind = [part.alias_or_name for part in (select.args["from_"].this, *_joined_tables(select))]
    for node in select.find_all(exp.Column):
        if node.find_ancestor(exp.Select) is select and node.table and node.table not in behind:
            known = " and ".join(map(repr, behind))
            raise source.unsupported(node, f"there is no table {node.table!r}", f"the rows are those of {known}")
    if isinstance(select.parent, exp.Subquery | exp.CTE):
        names = [item.alias_or_name for item in select.expressions]
        for name in names:
            if names.count(name) > 1:
                raise source.unsupported(
                    select, f"two columns {name!r}", "give each a name of its own, AS", ("SELECT",)
                )


def _joined_tables(select: exp.Select) -> list[Node]:
    return [join.this for join in select.args.get("joins") or ()]


def _translator(source: Source, rows: RowsOf) -> Translator:
    """What reads expressions of rows."""
    return Translator(source, rows.meant.info, lambda node: _of_row(source, node, rows), FUNCTIONS, rows.meant)


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


def _of_rows(context: Context, select: exp.Select, behind: RowsOf) -> Relation:
    source, meant = context.source, behind.meant
    if behind.stated:
        domain = {name: context.domain[said] for name, said in behind.stated.items() if said in context.domain}
        context = Context(source, context.tables, {**context.domain, **domain}, context.room)
    of_rows = _translator(source, behind)
    if (where := select.args.get("where")) is not None:
        meant = _chosen(source, meant, of_rows.condition(where.this), where)
    outputs = [select.args.get(name) for name in ("having", "order")]
    nodes = [part for item in (*select.expressions, *filter(None, outputs)) for part in own(item)]
    if select.args.get("group") is None and not any(map(is_aggregate, nodes)):
        for name in ("having", "order", "limit", "offset"):
            if select.args.get(name) is not None:
                what = "ORDER BY" if name == "order" else name.upper()
                raise source.unsupported(
                    select.args[name], f"{what} of rows", "it is for groups, whose results are opened", (what,)
                )
        return RowsOf(meant, {item.alias_or_name: of_rows.of(item) for item in select.expressions})
    turned = behind.turned
    again = None if turned is None else partial(_again, context, select, turned)
    return _Grouped(context, select, of_rows, meant, again).opened()


def _again(context: Context, select: exp.Select, turned: Callable[[], RowsOf]) -> Relation:
    return _of_rows(context, select, turned())


def _of_row(source: Source, node: Node, rows: RowsOf) -> Of | None:
    """What stands for a column. Errors: those of `column_named`; `UnsupportedError` for a value of many rows."""
    if is_aggregate(node) and is_answered(node):
        where = "aggregates stand in SELECT, HAVING and ORDER BY, and not within one another"
        raise source.unsupported(node, f"{source.shown(node)} of a row", where)
    return rows.of(source, node)


def _chosen(source: Source, meant: Meant, condition: Of, node: Node) -> Meant:
    try:
        return meant.chosen(condition)
    except ColumnError as error:
        raise source.wrong(node, error) from None


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Rows of which aggregates are asked, in groups or as one. again: what is asked where groups are private; None:
    this.
    """

    context: Context
    select: exp.Select
    of_rows: Translator
    meant: Meant
    again: Callable[[], Relation] | None = None
    measures: dict[Node, tuple[str, Measure]] = field(default_factory=dict)

    def opened(self) -> Relation:
        """The table of results."""
        by = self._by()
        found = [self._key(node) for node in by]
        keys = [key for key in found if key is not None]
        if len(keys) < len(by) and self.again is not None:
            return self.again()
        private = self._private(by) if len(keys) < len(by) else None
        groups: Groups = private.keys if private is not None else tuple(key.group for key in keys)
        self._check(groups)
        for item in (*self.select.expressions, *filter(None, map(self.select.args.get, ("having", "order")))):
            self._measured(item, by)
        infos = [*map(self._info, range(len(by)), by, found), *map(info_of, self.measures.values())]
        having = self.select.args.get("having")
        step, said = step_of(self.context.source, self.select, infos, lambda node: self._leaf(node, by), having)
        parts, places, second = self._parts(groups, private)
        domains = () if private is not None else tuple(key.values for key in keys)
        measures = tuple(m for _, m in self.measures.values())
        first = First(tuple(infos), domains, tuple(places), measures, private)
        return Opened(parts, first, outputs(step, infos), (step,), said, second)

    def _by(self) -> list[Node]:
        group = self.select.args.get("group")
        if group is None:
            return []
        if group.args.get("all"):
            return [item.unalias() for item in self.select.expressions if not any(map(is_aggregate, own(item)))]
        source = self.context.source
        for name in ("rollup", "cube", "grouping_sets", "totals"):
            if group.args.get(name):
                raise source.unsupported(group, name.upper().replace("_", " "), "ask each grouping by itself")
        return list(dict.fromkeys(node.unnest() for node in group.expressions))

    def _private(self, by: Sequence[Node]) -> PrivateGroups:
        """Where the values of some keys are not public, and nobody states those of others."""
        return private_groups(self.meant, [self.of_rows.of(node) for node in by], *self.context.room)

    def _key(self, node: Node) -> Key | None:
        """None: its values are private. Errors: `InputError` where they have to be public, and are not."""
        source = self.context.source
        of = self.of_rows.of(node)
        values = Domains(self.context.domain, self.meant.where, self.meant.info).of(of)
        names = [item.alias for item in self.select.expressions if isinstance(item, exp.Alias) and item.this == node]
        for name in names:
            if not isinstance(of, str) and name in self.context.domain:
                values = tuple(dict.fromkeys(self.context.domain[name]))
        info, facts = self.meant.info(of), self.meant.facts
        if values is None and facts.shared and info.kind == "string" and not info.nullable:
            values = facts.texts(of)  # shared text is one of these
        if values is None and not self.context.domain and can_be_private(self.meant, of):
            return None
        if values is None:
            name = of if isinstance(of, str) else next(iter(names), source.shown(node))
            line, column = source.place(node)
            raise InputError(
                f"line {line}, column {column}: the values of {name!r} are not public; state those to group by: "
                f"an.sql(..., domain={{{name!r}: [...]}}), or WHERE {name} IN (...)",
                line=line,
                position=column,
            )
        return key_of(of, info, values)

    def _check(self, groups: Groups) -> None:
        """Refuse keys that cannot be, before anything is asked."""
        try:
            if (selection := self.meant.selection(groups)) is not None:
                SelectedRows(selection, self.meant.dataset.facts)
        except ColumnError as error:
            raise self.context.source.wrong(self.select.args.get("group") or self.select, error) from None

    def _measured(self, item: Node, by: Sequence[Node]) -> None:
        """Ask for the aggregates of an expression."""
        for node in item.walk(
            prune=lambda part: isinstance(part, exp.Query | exp.Window) or part in by or is_aggregate(part)
        ):
            if is_aggregate(node) and node not in self.measures:
                found = measure(self.of_rows, node)
                self._check_merged(node, found)
                self.measures[node] = (f"aggregate {len(self.measures)}", found)

    def _check_merged(self, node: Node, found: Measure) -> None:
        """Refuse what merged rows do not have, before anything is asked."""
        if not isinstance(self.meant, MergedMeant):
            return
        if found.different is not None:
            instead = "different values are counted in a frame's own rows, and not in merged ones"
            raise self.context.source.unsupported(node, self.context.source.shown(node), instead, ("DISTINCT",))
        try:
            meant = self.meant if found.condition is None else self.meant.chosen(found.condition)
            for make in found.statistics:
                meant.rows().check(make(meant.name()))
        except ColumnError as error:
            raise self.context.source.wrong(node, error) from None
        except InputError as error:
            text = self.context.source.shown(node)
            raise self.context.source.unsupported(node, text, error.message) from None

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

    def _info(self, number: int, node: Node, key: Key | None) -> ColumnInfo:
        found = self.of_rows.typed(self.of_rows.of(node))
        return ColumnInfo(f"key {number}", found.kind, nullable=found.nullable if key is None else None in key.values)

    def _parts(
        self, groups: Groups, private: PrivateGroups | None
    ) -> tuple[tuple[Part, ...], list[tuple[int, ...]], Second | None]:
        """What is asked, each once, where the results of each measure are among them, and what is asked after it, whose
        results follow; the number of rows first.
        """
        parts: dict[tuple[Any, Any], tuple[int, Part]] = {}

        def place(part: Part) -> int:
            return parts.setdefault((part.statistic, part.selection), (len(parts), part))[0]

        def made(meant: Meant, make: Maker) -> Part:
            return meant.part(make(meant.name(groups)), groups)

        if groups or not self.measures:
            place(made(self.meant, lambda name: Count(name, EVERY_ROW)))
        for make in () if private is None else private.makers:
            place(made(self.meant, make))
        later: list[Node] = []
        places: dict[Node, tuple[int, ...]] = {}
        for node, (_, found) in self.measures.items():
            if private is None:
                places[node] = tuple(place(part) for part in self._of_stated(node, groups))
            elif is_second(self.meant, found):
                self._check_second(node, private)
                later.append(node)
            else:
                makers = [filtered(found, make) for make in found.statistics]
                self._check_of_private(node, makers, groups)
                places[node] = tuple(place(made(self.meant, make)) for make in makers)
        places.update({node: (len(parts) + number,) for number, node in enumerate(later)})
        second = None if private is None or not later else self._second(later, private)
        return tuple(part for _, part in parts.values()), [places[node] for node in self.measures], second

    def _second(self, later: Sequence[Node], private: PrivateGroups) -> Second:
        asked = [partial(self._one_of_stated, node) for node in later]
        titles = [make(self.meant.name()).title for node in later for make in self.measures[node][1].statistics]
        return Second(private, tuple(asked), ", ".join(dict.fromkeys(titles)))

    def _of_stated(self, node: Node, groups: Groups) -> list[Part]:
        """What a measure asks of groups of public values, or of all rows."""
        _, found = self.measures[node]
        meant = self.meant if found.condition is None else self.meant.chosen(found.condition)
        if found.different is not None:
            return [self._different(node, meant, found.different, groups)]
        return [meant.part(make(meant.name(groups)), groups) for make in found.statistics]

    def _one_of_stated(self, node: Node, groups: Groups) -> Part:
        (part,) = self._of_stated(node, groups)
        return part

    def _check_second(self, node: Node, private: PrivateGroups) -> None:
        """Refuse what no group would have, before the first question is asked.

        Errors: `UnsupportedError`, `ColumnError`, each with its place; `PolicyError`.
        """
        source, facts, engine = self.context.source, self.meant.dataset.facts, self.meant.dataset.engine
        try:
            part = self._one_of_stated(node, private.one())
            reason = unanswered(part.statistic, part.rows, (*engine.parties, *engine.owners))
        except ColumnError as error:
            raise source.wrong(node, error) from None
        except UnsupportedError:
            raise
        except InputError as error:
            raise source.unsupported(node, source.shown(node), error.message) from None
        if reason is not None:
            if facts.policy is not None:
                raise PolicyError(reason, dataset=facts.source)
            raise source.wrong(node, ColumnError(reason))

    def _check_of_private(self, node: Node, made: Sequence[Maker], groups: Groups) -> None:
        """Refuse what groups of private keys do not have, before anything is asked.

        Errors: `UnsupportedError`, `ColumnError`, each with its place; `BoundError`.
        """
        source = self.context.source
        try:
            for make in made:
                part = self.meant.part(make(self.meant.name(groups)), groups)
                for partial_of in part.statistic.partials(part.rows):
                    if part.rows.shared and isinstance(partial_of, PartialAggregate) and not partial_of.apart:
                        partial_of.sum_types(part.rows, part.rows.count)
        except ColumnError as error:
            raise source.wrong(node, error) from None
        except BoundError:
            raise
        except InputError as error:
            raise source.unsupported(node, source.shown(node), error.message) from None

    def _different(self, node: Node, meant: Meant, of: Of, groups: Groups) -> Part:
        """What counts different values. Errors: `ColumnError` at its place, `PolicyError`."""
        try:
            return part_of_different(meant, of, groups, self.context.room)
        except ColumnError as error:
            raise self.context.source.wrong(node, error) from None


def _of_opened(source: Source, select: exp.Select, behind: Opened) -> Opened:
    """A SELECT of results: it is computed after these are opened."""
    columns: dict[str, Of] = {info.name: info.name for info in behind.infos}
    for item in (*select.expressions, *filter(None, map(select.args.get, ("where", "having", "group")))):
        found = next((part for part in own(item) if is_aggregate(part)), None)
        if found is not None or isinstance(item, exp.Group | exp.Having):
            raise source.unsupported(
                found or item, "an aggregate of results", "ask for it of rows, or compute it from the DataFrame"
            )
    where = select.args.get("where")
    step, said = step_of(source, select, behind.infos, lambda node: column_named(source, node, columns), where)
    steps, told = (*behind.steps, step), (*behind.said, *said)
    return replace(behind, infos=outputs(step, behind.infos), steps=steps, said=told)
