"""What a computed column can tell that no condition in it says, so that no ledger holds it.

An order statistic shows a value: of a column computed of several (`1000 * id + age`) it would show values of all of
them, of one row; of `2 * age + ill` whether that row is ill. Conditions that leave values out alone are filters, and
show nothing of a row but that it is there. Arithmetic that bends picks rows: `1 // (1 + abs(id - 7))` is 1 in one of
them, and sums of `x.clip(6, 7)` and `x.clip(7, 8)` tell how many there are of 7. Sums and differences of columns, and
multiples of these, pick none. But what is added to a column, constants or others, makes no value of it less of a sum
that it is most of: sums are told apart again by whoever knows the other one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from icm_ray.errors import PolicyError
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.expressions.function import Typed
from icm_ray.query.expressions.tree import (
    Apply,
    Column,
    Expression,
    Literal,
    Node,
    Of,
    apply,
    columns_of,
    conjunction,
    literal,
    nodes_of,
)
from icm_ray.query.expressions.typing import types_of
from icm_ray.query.expressions.words import words
from icm_ray.query.rows import Rows, column_of

__all__ = ["addends", "bent", "composed", "left_out"]

_STRAIGHT: Final = frozenset({"add", "subtract", "negate", "where", "fill", "ticks", "total_seconds", "convert"})
_MOST_PARTS: Final = 300
_NUMBERS: Final = frozenset({"int", "float"})
_OF_TIMES: Final = frozenset({"subtract", "ticks", "total_seconds", "days"})


def composed(of: Of, rows: Rows) -> bool:
    """Whether values of several columns are in a column's, or what conditions say of others; how long it is from one
    time to another is one value.
    """
    nodes, types = nodes_of(of), types_of(of, lambda name: column_of(rows, name))
    reached = list(_values(nodes, types))
    names = {node.name for number in reached if isinstance(node := nodes[number], Column)}
    shown = _conditions_shown(nodes, types, reached)
    if len(names.union(*shown)) < 2 or (not names and len(shown) == 1):
        return False
    computed = (node for number in reached if isinstance(node := nodes[number], Apply))
    times = all(_is_time(types[number]) for number in reached if isinstance(nodes[number], Column))
    return not (times and all(node.function in _OF_TIMES for node in computed))


def bent(of: Of, rows: Rows) -> str:
    """The first part of a column that bends, as the user wrote it; "" where none does. What only conditions are made
    of, which are held like filters, is left aside.
    """
    nodes, types = nodes_of(of), types_of(of, lambda name: column_of(rows, name))
    reads: list[bool] = []
    for node in nodes:
        given = isinstance(node, Apply) and any(reads[argument] for argument in node.arguments)
        reads.append(isinstance(node, Column) or given)
    for number in sorted(_values(nodes, types)):
        node = nodes[number]
        if isinstance(node, Apply) and reads[number] and not _straight(node, types, number, reads):
            return words(Expression(nodes[: number + 1]))
    return ""


def addends(of: Of, rows: Rows) -> tuple[Of, ...]:
    """What a column is the sum of, and itself: `cost + 1e6` is of cost and of a number that everybody knows. Multiples,
    what conditions choose and what is filled in are taken apart likewise. Errors: `PolicyError` (too many parts).
    """
    return (of,) if isinstance(of, str) else tuple(dict.fromkeys((of, *(part for part, _, _ in _parts(of, rows)))))


def left_out(of: Of, rows: Rows) -> tuple[tuple[Of, Of], ...]:
    """Of each of these that conditions choose some rows of, what it is of all others, and of all. Errors: as there."""
    parts = () if isinstance(of, str) else _parts(of, rows)
    return tuple(dict.fromkeys((rest, whole) for _, rest, whole in parts if rest is not None))


def _parts(of: Expression, rows: Rows) -> Iterator[tuple[Of, Of | None, Of]]:
    """Each part, what it is of the rows that its conditions leave out, None where there is no condition, and of all."""
    nodes, types = of.nodes, types_of(of, lambda name: column_of(rows, name))
    parts: list[Of] = []
    for node in nodes:
        if isinstance(node, Apply):
            parts.append(apply(node.function, [parts[argument] for argument in node.arguments], node.options))
        else:
            parts.append(node.name if isinstance(node, Column) else Expression((node,)))
    left: list[tuple[int, _Chosen]] = [(len(nodes) - 1, ())]
    seen = set(left)
    while left:
        number, chosen = left.pop()
        node = nodes[number]
        if isinstance(node, Apply) and (taken := _taken_apart(node, types, parts)):
            more = [(at, chosen if choice is None else (*chosen, choice)) for at, choice in taken]
            left += [state for state in dict.fromkeys(more) if state not in seen]
            seen.update(more)
            if len(seen) > _MOST_PARTS:
                reason = "a sum of so many parts is not held against a rule for each"
                raise PolicyError(f"{words(of)[:100]}: {reason}", rule="largest")
        elif columns_of(parts[number]):
            there: Of | None = None
            for at, true in chosen:
                condition = parts[at] if true else apply("not", (parts[at],))
                if types[at].nullable:
                    condition = apply("fill", (condition, literal(value=False)))
                there = conjunction(there, condition)
            whole = parts[number]
            if there is None:
                yield whole, None, whole
            else:
                own, rest = ((whole, literal(None)), (literal(None), whole))
                yield apply("where", (there, *own)), apply("where", (there, *rest)), whole


_Chosen = tuple[tuple[int, bool], ...]
"""In which rows a part is a part: the conditions by their nodes, and whether they are true."""


def _taken_apart(node: Apply, types: Sequence[Typed], parts: Sequence[Of]) -> list[tuple[int, tuple[int, bool] | None]]:
    """The arguments that a value is the sum of multiples of, and of which rows, None for all; none where it is made
    otherwise.
    """
    arguments, name = node.arguments, node.function
    if name in {"add", "subtract", "negate", "fill"} or (name == "cast" and types[arguments[0]].kind in _NUMBERS):
        return [(argument, None) for argument in arguments]
    if name == "where":
        condition, one, other = arguments
        return [(one, (condition, True)), (other, (condition, False))]
    if name == "divide" and not columns_of(parts[arguments[1]]):
        return [(arguments[0], None)]
    for at, other in (arguments, arguments[::-1]) if name == "multiply" else ():
        if not columns_of(parts[at]):
            return [(other, None)]
        if types[at].kind == "bool" and types[other].kind != "bool":
            return [(other, (at, True))]
    return []


def _conditions_shown(nodes: Sequence[Node], types: Sequence[Typed], reached: Sequence[int]) -> list[frozenset[str]]:
    """The columns of the outermost conditions that a value tells of: not of those by which it is there or missing."""
    reads: list[frozenset[str]] = []
    for node in nodes:
        given = [reads[argument] for argument in node.arguments] if isinstance(node, Apply) else []
        reads.append(frozenset({node.name}) if isinstance(node, Column) else frozenset[str]().union(*given))
    found = dict[int, frozenset[str]]()
    for node in (nodes[number] for number in reached):
        if isinstance(node, Apply) and not (node.function == "where" and any(map(_is_nothing, _branches(node, nodes)))):
            found |= {at: reads[at] for at in node.arguments if types[at].kind == "bool"}
    return [*found.values()]


def _branches(node: Apply, nodes: Sequence[Node]) -> list[Node]:
    return [nodes[argument] for argument in node.arguments[1:]]


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is None


def _values(nodes: Sequence[Node], types: Sequence[Typed]) -> Iterator[int]:
    """The nodes whose values are in those of the last, without conditions and what these are made of."""
    left, seen = [len(nodes) - 1], set[int]()
    while left:
        number = left.pop()
        if number in seen or types[number].kind == "bool":
            continue
        seen.add(number)
        yield number
        node = nodes[number]
        left += node.arguments if isinstance(node, Apply) else ()


def _straight(node: Apply, types: Sequence[Typed], number: int, reads: Sequence[bool]) -> bool:
    if node.function == "multiply":  # by a number, or by a condition, as where has it
        return sum(reads[at] and types[at].kind != "bool" for at in node.arguments) < 2
    if node.function == "divide":
        return not reads[node.arguments[1]]
    if node.function == "cast":
        return types[number].kind == "float" or types[node.arguments[0]].kind in {"bool", types[number].kind}
    return node.function in _STRAIGHT


def _is_time(found: Typed) -> bool:
    unit = unit_kind(found.kind)
    return unit is not None and unit.family is not Family.DECIMAL
