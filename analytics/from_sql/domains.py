"""The public values of what rows are grouped by: stated, listed by WHERE, or all that an expression can give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from icm_ray.query.expressions.tree import (
    Apply,
    Column,
    Expression,
    Literal,
    Node,
    Of,
    Scalar,
    apply,
    literal,
    nodes_of,
)
from icm_ray.query.selection import MOST_CELLS
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["Domains", "Key", "key_of"]

_Values = tuple[Scalar, ...] | None
"""None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Domains:
    """stated: by the name of a column. where: the condition that rows meet. info: the facts of an expression."""

    stated: Mapping[str, Sequence[Scalar]]
    where: Of | None
    info: Callable[[Of], ColumnInfo]

    def of(self, of: Of) -> _Values:
        """The values that an expression can have, None among them where it may be missing."""
        found: list[_Values] = []
        for place, node in enumerate(nodes_of(of)):
            part = _part(of, place)
            found.append(self._listed(part) or self._of_node(node, found, part))
        return found[-1]

    def _listed(self, of: Of) -> _Values:
        if isinstance(of, str) and of in self.stated:
            return tuple(dict.fromkeys(self.stated[of]))
        return None if self.where is None else _allowed(self.where, of)

    def _of_node(self, node: Node, found: Sequence[_Values], part: Of) -> _Values:
        if isinstance(node, Literal):
            return (node.value,)
        if isinstance(node, Apply) and node.function in {"where", "fill"}:
            one, other = (found[argument] for argument in node.arguments[-2:])
            if one is not None and other is not None:
                kept = [value for value in one if value is not None or node.function == "where"]
                return tuple(dict.fromkeys([*kept, *other]))
        info = self.info(part)
        if info.kind == "bool":
            return (False, True, None) if info.nullable else (False, True)
        if info.categories:
            return (*info.categories, None) if info.nullable else info.categories
        return None


def _part(whole: Of, place: int) -> Of:
    """The expression that ends with a node of another."""
    nodes = nodes_of(whole)
    last = nodes[place]
    if isinstance(last, Column):
        return last.name
    needed = {place}
    for at in range(place, -1, -1):
        node = nodes[at]
        if at in needed and isinstance(node, Apply):
            needed.update(node.arguments)
    numbers = {at: number for number, at in enumerate(sorted(needed))}
    kept = [nodes[at] for at in sorted(needed)]
    return Expression(
        tuple(
            Apply(node.function, tuple(numbers[argument] for argument in node.arguments), node.options)
            if isinstance(node, Apply)
            else node
            for node in kept
        )
    )


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a condition says of an expression where it is true. listed: its values; low, high: between which it is."""

    listed: _Values = None
    low: int | None = None
    high: int | None = None

    def both(self, other: _Limits) -> _Limits:
        lows = [limit for limit in (self.low, other.low) if limit is not None]
        highs = [limit for limit in (self.high, other.high) if limit is not None]
        listed = self.listed
        if listed is None or other.listed is None:
            listed = other.listed if listed is None else listed
        else:
            listed = tuple(value for value in listed if value in other.listed)
        return _Limits(listed, max(lows, default=None), min(highs, default=None))

    def either(self, other: _Limits) -> _Limits:
        one, two = self.values(), other.values()
        return _Limits(None if one is None or two is None else tuple(dict.fromkeys([*one, *two])))

    def values(self) -> _Values:
        if self.listed is not None or self.low is None or self.high is None:
            return self.listed
        return tuple(range(self.low, self.high + 1)) if self.high - self.low < MOST_CELLS else None


def _allowed(where: Of, of: Of) -> _Values:
    """The values that a condition lets an expression have; None where it does not list them."""
    nodes = nodes_of(where)
    itself = [_part(where, place) == of for place in range(len(nodes))]
    found: list[_Limits] = []
    for place, node in enumerate(nodes):
        found.append(_Limits((True,)) if itself[place] else _limits(node, nodes, itself, found))
    values = found[-1].values()
    return values or None


def _limits(node: Node, nodes: Sequence[Node], itself: Sequence[bool], found: Sequence[_Limits]) -> _Limits:
    if not isinstance(node, Apply):
        return _Limits()
    of_arguments = [found[argument] for argument in node.arguments]
    if node.function in {"and", "or"}:
        whole = of_arguments[0]
        for other in of_arguments[1:]:
            whole = whole.both(other) if node.function == "and" else whole.either(other)
        return whole
    if node.function == "where" and nodes[node.arguments[1]] == Literal(None, "null"):
        return of_arguments[2]  # missing, or this
    if node.function == "fill" and nodes[node.arguments[1]] == Literal(value=False, kind="bool"):
        return of_arguments[0]
    if node.function == "not" and itself[node.arguments[0]]:
        return _Limits((False,))
    return _compared(node, nodes, itself)


def _compared(node: Apply, nodes: Sequence[Node], itself: Sequence[bool]) -> _Limits:
    """Of a comparison with public values."""
    function, arguments = node.function, node.arguments
    if len(arguments) == 2 and itself[arguments[1]]:
        function, arguments = _TURNED.get(function, ""), arguments[::-1]
    others = [nodes[argument] for argument in arguments[1:]]
    public = [other.value for other in others if isinstance(other, Literal) and other.value is not None]
    if not itself[arguments[0]] or len(public) != len(others):
        return _Limits()
    if function in {"equal", "is_in"}:
        return _Limits(tuple(dict.fromkeys(public)))
    if function not in _BOUNDS or type(public[0]) is not int:
        return _Limits()
    name, step = _BOUNDS[function]
    limit = public[0] + step
    return _Limits(low=limit) if name == "low" else _Limits(high=limit)


_BOUNDS = {"greater": ("low", 1), "greater_equal": ("low", 0), "less": ("high", -1), "less_equal": ("high", 0)}
_TURNED = {
    "equal": "equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "less": "greater",
    "less_equal": "greater_equal",
}


@dataclass(frozen=True, slots=True)
class Key:
    """What rows are grouped by. group: as it is asked. values: of the groups, in the same order; None is NULL."""

    group: GroupKey
    values: tuple[Scalar, ...]


def key_of(of: Of, info: ColumnInfo, values: Sequence[Scalar]) -> Key:
    """A key of public values. Rows where it is NULL are a group of their own where None is among them: a value that is
    none of the others stands for it, and rows with other values are in no group.
    """
    some = tuple(value for value in values if value is not None)
    if len(some) == len(values):
        return Key(GroupKey(of, some), some)
    missing = apply("is_null", (of,))
    if info.kind == "bool":
        asked = apply("where", (missing, literal(2), apply("where", (of, literal(1), literal(0)))))
        return Key(GroupKey(asked, tuple(2 if value is None else int(bool(value)) for value in values)), tuple(values))
    stand_in = _stand_in(some, info.kind)
    listed = apply("is_in", (of, *map(literal, some)))
    asked = apply("where", (missing, literal(stand_in), apply("where", (listed, of, literal(None)))))
    return Key(GroupKey(asked, tuple(stand_in if value is None else value for value in values)), tuple(values))


def _stand_in(values: Sequence[Scalar], kind: str) -> Scalar:
    """A value of the kind that is none of these."""
    if kind == "string":
        return max((value for value in values if isinstance(value, str)), key=len, default="") + "?"
    return max((value for value in values if isinstance(value, int)), default=0) + 1
