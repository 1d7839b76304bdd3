"""JOIN of two tables as a merge of their rows: equalities of ON are keys, and whatever else it says chooses rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sqlglot import exp

from analytics.from_sql.aggregates import is_aggregate
from analytics.from_sql.opened import Relation, RowsOf, own
from analytics.from_sql.private import filled
from analytics.from_sql.source import Node, Source
from analytics.from_sql.translate import Translator
from analytics.group_keys import TEXT
from analytics.meant import Meant
from analytics.merged_meant import MergedMeant
from analytics.merging import Side, merged_columns, merged_rows
from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.merge import JoinedColumn

__all__ = ["joined"]

_KINDS: Final = frozenset({"int", "bool", "string"})
_SIDES: Final = frozenset({"", "LEFT", "RIGHT"})
_PARTS: Final = frozenset({"this", "on", "side", "kind"})


@dataclass(slots=True)
class _Table:
    """name: in the text. behind: its rows. to: what reads expressions of these. meant: those that are merged. keys,
    names: of each equality what is compared, and of which column it is the value; None: of none.
    """

    name: str
    behind: RowsOf
    to: Translator
    meant: Meant
    keys: list[Of] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    def choose(self, source: Source, node: Node, condition: Of) -> None:
        """Leave out other rows. Errors: `ColumnError`, with its place."""
        try:
            self.meant = self.meant.chosen(condition)
        except ColumnError as error:
            raise source.wrong(node, error) from None


def joined(
    source: Source,
    select: exp.Select,
    tables: Sequence[tuple[str, Relation]],
    translator: Callable[[RowsOf], Translator],
    most_bytes: int | None,
    *,
    private: bool = False,
) -> RowsOf:
    """The rows of a SELECT from two tables. tables: their names and rows, in the order of the text. private: whether
    they are grouped by values that nobody states.

    Errors: `UnsupportedError` for what a merge cannot do, `ColumnError` for keys of kinds that are not compared.
    """
    join, *others = select.args["joins"]
    if others:
        instead = "two tables are merged; ask about each pair"
        raise source.unsupported(others[0], "a second JOIN", instead, ("JOIN", ","))
    how = _how(source, join)
    first, second = (_table(source, join, name, found, translator) for name, found in tables)
    left, right = (second, first) if join.side == "RIGHT" else (first, second)
    rest = list(_read(source, join, left, right, how))
    policy = any(table.meant.dataset.facts.policy is not None for table in (left, right))
    groups, keys = _grouped(select, frozenset() if policy else _both(left, right))
    shares = any(table.meant.dataset.facts.shared for table in (left, right))  # rows of either side are grouped
    # Whether groups are of the right side, where a key has one row: on the left side it may always have several.
    last = policy or private or shares
    if how == "inner" and not shares and groups == {left.name if last else right.name}:
        left, right = right, left
    many = not last and right.name not in groups
    try:
        of_right = keys if private and how == "inner" else frozenset[str]()
        made = _merged(left, right, how, many, TEXT if most_bytes is None else most_bytes, of_right)
    except ColumnError as error:
        raise source.wrong(join, error) from None
    for node in rest:
        condition = translator(made).condition(node)
        try:
            made = replace(made, meant=made.meant.chosen(condition))
        except ColumnError as error:
            raise source.wrong(node, error) from None
    if last:
        return made
    return replace(made, turned=lambda: joined(source, select, tables, translator, most_bytes, private=True))


def _how(source: Source, join: exp.Join) -> Literal["inner", "left"]:
    """Errors: `UnsupportedError` for joins of other kinds."""
    kind, side = join.kind, join.side
    other = {name for name, value in join.args.items() if value and name not in _PARTS}
    if side not in _SIDES or kind not in {"", "INNER", "OUTER"} or other:
        what = " ".join([*(name.upper() for name in sorted(other)), *filter(None, (join.method, side, kind)), "JOIN"])
        instead = "INNER JOIN and LEFT JOIN ... ON, or USING, are answered"
        raise source.unsupported(join, what, instead, ("JOIN",))
    if join.args.get("on") is None:
        what = "JOIN without a condition"
        raise source.unsupported(join, what, "say which keys are equal, ON a.key = b.key", ("JOIN", ","))
    return "left" if side else "inner"


def _table(
    source: Source, join: exp.Join, name: str, found: Relation, translator: Callable[[RowsOf], Translator]
) -> _Table:
    if not isinstance(found, RowsOf):
        instead = "join rows of frames, and the DataFrames that are revealed"
        raise source.unsupported(join, f"JOIN with the results {name!r}", instead, ("JOIN", ","))
    if isinstance(found.meant, MergedMeant):
        raise source.unsupported(join, "JOIN of joined rows", "two tables are merged; ask about each pair", ("JOIN",))
    return _Table(name, found, translator(found), found.meant)


def _read(source: Source, join: exp.Join, left: _Table, right: _Table, how: Literal["inner", "left"]) -> Iterator[Node]:
    """Find the keys of both tables, and leave out rows as ON does; gives what of it is of both tables."""
    condition = join.args["on"].unnest()
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        node = part.unnest()
        pair = _pair(node, left, right)
        if pair is not None:
            _key(source, node, left, right, pair)
            continue
        of = _named(node)
        if of <= {right.name} or (of == {left.name} and how == "inner"):
            table = right if of <= {right.name} else left
            table.choose(source, node, table.to.condition(node))
        elif how == "inner":
            yield node
        else:
            instead = "of a LEFT JOIN's ON equalities, and conditions on the table that is joined, are answered"
            raise source.unsupported(node, source.shown(node), instead)
    if not left.keys:
        instead = "say which keys are equal, ON a.key = b.key"
        raise source.unsupported(join, "JOIN without equal keys", instead, ("JOIN", ","))
    for place in range(len(left.keys)):
        if left.meant.info(left.keys[place]).nullable and how == "left":
            for table in (left, right):  # NULL is equal to nothing: no right row has it
                table.keys.append(apply("is_null", (table.keys[place],)))
                table.names.append(None)
        for table in (left, right):
            key = table.keys[place]
            if table.meant.info(key).nullable and (table is right or how == "inner"):
                table.choose(source, join, apply("not", (apply("is_null", (key,)),)))
            table.keys[place] = filled(table.meant, key)


def _named(node: Node) -> set[str]:
    """The tables of a condition's columns."""
    return {column.table for column in node.find_all(exp.Column)}


def _pair(node: Node, left: _Table, right: _Table) -> tuple[Node, Node] | None:
    """The key of the left and of the right table that are equal; None: no equality of both."""
    if not isinstance(node, exp.EQ):
        return None
    one, other = node.this.unnest(), node.expression.unnest()
    if (_named(one), _named(other)) == ({right.name}, {left.name}):
        one, other = other, one
    return (one, other) if (_named(one), _named(other)) == ({left.name}, {right.name}) else None


def _key(source: Source, node: Node, left: _Table, right: _Table, pair: tuple[Node, Node]) -> None:
    found = [(table, side, table.to.of(side)) for table, side in zip((left, right), pair, strict=True)]
    kinds = [table.to.typed(of).kind for table, _, of in found]
    if kinds[0] != kinds[1] or (kinds[0] not in _KINDS and unit_kind(kinds[0]) is None):
        why = "keys are whole numbers, text, booleans, dates or times, of one kind on both sides"
        raise source.wrong(node, ColumnError(f"{source.shown(node)} of {kinds[0]} and {kinds[1]}: {why}"))
    for table, side, of in found:
        table.keys.append(of)
        table.names.append(side.name if isinstance(side, exp.Column) else None)


def _both(left: _Table, right: _Table) -> frozenset[str]:
    """The names of keys that are called alike on both sides."""
    pairs = zip(left.names, right.names, strict=True)
    return frozenset(one for one, other in pairs if one is not None and one == other)


def _grouped(select: exp.Select, both: frozenset[str]) -> tuple[set[str], frozenset[str]]:
    """The tables whose columns rows are grouped by, but for what USING makes of keys, which are of either; and those of
    these keys that rows are grouped by. both: their names.
    """
    group = select.args.get("group")
    if group is None:
        return set(), frozenset()
    nodes: Sequence[Any] = group.expressions
    if group.args.get("all"):
        nodes = [item for item in select.expressions if not any(map(is_aggregate, own(item)))]
    columns = [column for node in nodes for column in node.find_all(exp.Column)]
    keys = frozenset(column.name for column in columns) & both
    return {column.table for column in columns if not _of_either(column, keys)}, keys


def _of_either(column: exp.Column, keys: frozenset[str]) -> bool:
    """Whether USING has put both tables' keys of that name into its place."""
    among = column.parent
    if not isinstance(among, exp.Coalesce) or column.name not in keys:
        return False
    return all(
        isinstance(other, exp.Column) and other.name == column.name for other in (among.this, *among.expressions)
    )


def _merged(
    left: _Table, right: _Table, how: Literal["inner", "left"], many: bool, most_bytes: int, of_right: frozenset[str]
) -> RowsOf:
    """of_right: names of keys of both, equal in all rows, that are taken of the right side."""
    one, other = (Side(table.meant, table.behind.columns, table.keys) for table in (left, right))
    both = _both(left, right)
    columns = tuple(
        JoinedColumn(column.name, right.behind.columns[column.name], right=True) if column.name in of_right else column
        for column in merged_columns(one, other, [*both])
    )
    tables: list[dict[str, str]] = [{}, {}]
    names = iter(columns)
    for place, side in enumerate((one, other)):
        for name in side.columns:
            if not (place and name in both):
                tables[place][name] = next(names).name
    stated = {merged: name for table in tables for name, merged in table.items()}
    for name in sorted(both):
        tables[1][name] = name
        if how == "left":  # NULL where there is no right row
            mine = f"{name}_y"
            while mine in {column.name for column in columns}:
                mine += "_y"
            columns = (*columns, JoinedColumn(mine, right.behind.columns[name], right=True))
            tables[1][name] = mine
    meant = merged_rows(one, other, how, columns, most_bytes, many=many)
    plain: Mapping[str, Of] = {column.name: column.name for column in columns}
    return RowsOf(meant, plain, {left.name: tables[0], right.name: tables[1]}, stated, both)
