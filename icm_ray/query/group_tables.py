"""Sums of one column each, by the same numbers of groups, become one table with the openings of its keys in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icm_ray.ops.groups import GroupTable
from icm_ray.ops.linear import AssumeWidth, Rescale, Slice
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Node, Program

__all__ = ["in_one_table"]


@dataclass(frozen=True, slots=True)
class _Table:
    """size: numbers of groups. key: the node of the keys; columns: those of the values, in the order of the rows."""

    size: int
    key: int
    columns: tuple[int, ...]
    counts: bool

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.key, *self.columns)

    def row(self, column: int | None) -> int:
        """Where the sums of a column are, or the counts."""
        return len(self.columns) if column is None else self.columns.index(column)


def in_one_table(program: Program) -> Program:
    """The same program with one `GroupTable` for all of one row that have keys and size in common."""
    tables = _tables(program.nodes)
    if not tables or _circular(program.nodes, tables):
        return program
    return _Joined(program, tables).program()


def _tables(nodes: Sequence[Node]) -> dict[int, _Table]:
    """By the node that it takes the place of, where there are several."""
    found: dict[tuple[int, int], list[int]] = {}
    for index, node in enumerate(nodes):
        if isinstance(node.op, GroupTable) and len(node.inputs) - 1 + node.op.counts == 1:
            found.setdefault((node.inputs[0], node.op.size), []).append(index)
    tables: dict[int, _Table] = {}
    first = _first_of_equals(nodes) if found else {}
    for (key, size), members in found.items():
        columns = dict.fromkeys(_column(nodes[index], first) for index in members)
        table = _Table(size, key, tuple(column for column in columns if column is not None), None in columns)
        if len(members) > 1:
            tables.update((index, table) for index in members)
    return tables


def _first_of_equals(nodes: Sequence[Node]) -> dict[int, int]:
    """By node that reads a value with other fractional bits the first one that reads the same."""
    seen: dict[Node, int] = {}
    return {place: seen.setdefault(node, place) for place, node in enumerate(nodes) if isinstance(node.op, Rescale)}


def _column(node: Node, first: Mapping[int, int]) -> int | None:
    """The first node that has the values of a table with one row; None where it has counts."""
    return None if len(node.inputs) == 1 else first.get(node.inputs[1], node.inputs[1])


def _circular(nodes: tuple[Node, ...], tables: dict[int, _Table]) -> bool:
    """Whether what a table takes is made of what a table gives."""
    made: list[bool] = []
    for index, node in enumerate(nodes):
        behind = any(made[source] for source in node.inputs)
        if index in tables and behind:
            return True
        made.append(index in tables or behind)
    return False


class _Joined:
    """Writes the program anew; a table stands where the first of its rows stood, after all that it takes."""

    def __init__(self, program: Program, tables: dict[int, _Table]) -> None:
        self._nodes, self._types, self._tables = program.nodes, program.types(), tables
        self._first = _first_of_equals(program.nodes)
        self._builder = Builder(program.parties, program.owners)
        self._values: dict[int, Value] = {}
        self._made: dict[_Table, Value] = {}

    def program(self) -> Program:
        """The whole."""
        for index in range(len(self._nodes)):
            self._write(index)
        return self._builder.build()

    def _write(self, index: int) -> None:
        """A node, after those that it needs and that are not there yet."""
        waiting = [index]
        while waiting:
            needed = [source for source in self._needs(waiting[-1]) if source not in self._values]
            if needed:
                waiting += reversed(needed)
                continue
            place = waiting.pop()
            if place not in self._values:
                self._values[place] = self._value(place)

    def _needs(self, index: int) -> tuple[int, ...]:
        return self._tables[index].inputs if index in self._tables else self._nodes[index].inputs

    def _value(self, index: int) -> Value:
        node, add = self._nodes[index], self._builder.add
        if index not in self._tables:
            return add(node.op, *(self._values[source] for source in node.inputs))
        table = self._tables[index]
        if table not in self._made:
            inputs = (self._values[source] for source in table.inputs)
            self._made[table] = add(GroupTable(table.size, table.counts), *inputs)
        row, kind = table.row(_column(node, self._first)), self._types[index]
        found = add(Slice(((row, row + 1, 1), (0, table.size, 1))), self._made[table])
        return add(AssumeWidth(kind.width, kind.error), found)
