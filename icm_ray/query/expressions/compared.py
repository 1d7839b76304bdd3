"""The public values that a condition compares columns with, and the same condition with others in their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from icm_ray.errors import ProgramError
from icm_ray.query.expressions.tree import Apply, Expression, Literal, Node, Of, nodes_of
from icm_ray.query.expressions.words import words

__all__ = ["Compared", "compared", "with_literals"]

_JOINS: Final = frozenset({"and", "or", "not"})
_COMPARISONS: Final = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "is_in"})
_Places = dict[tuple[int, int], int]
"""By a comparison and which of its arguments is a literal, what that is compared with."""


@dataclass(frozen=True, slots=True)
class Compared:
    """what: the column, or what is computed of columns, in words. literal: what it is compared with."""

    what: str
    literal: Literal


def compared(condition: Of) -> tuple[Compared, ...]:
    """The literals of comparisons that a condition is joined of, in their order: those within what is compared are none
    of them. None of a condition that is written otherwise than `apply` makes it.
    """
    nodes = nodes_of(condition)
    places = _places(nodes)
    literals = [_literal(nodes, place) for place in places]
    if not places or with_literals(condition, literals) != condition:
        return ()
    called: dict[int, str] = {}
    for of in places.values():
        if of not in called:
            called[of] = words(Expression(nodes[: of + 1]))
    return tuple(Compared(called[of], literal) for of, literal in zip(places.values(), literals, strict=True))


def with_literals(condition: Of, literals: Sequence[Literal]) -> Of:
    """A condition with as many literals as `compared` has, in the place of those; to the byte what whoever writes it
    with these has. Errors: `ProgramError` where there are more or fewer.
    """
    nodes = nodes_of(condition)
    places = _places(nodes)
    if len(places) != len(literals):
        raise ProgramError(f"{len(literals)} literals for {len(places)} comparisons")
    if not places:
        return condition
    return Expression(tuple(_rebuilt(nodes, dict(zip(places, literals, strict=True)))))


def _literal(nodes: Sequence[Node], place: tuple[int, int]) -> Literal:
    number, position = place
    node = nodes[number]
    found = nodes[node.arguments[position]] if isinstance(node, Apply) else node
    if not isinstance(found, Literal):
        raise ProgramError("no literal is compared there")
    return found


def _places(nodes: Sequence[Node]) -> _Places:
    found: _Places = {}
    for number in sorted(_joined(nodes)):
        node = nodes[number]
        if not isinstance(node, Apply) or node.function not in _COMPARISONS:
            continue
        others = {argument for argument in node.arguments if not isinstance(nodes[argument], Literal)}
        if len(others) == 1:
            of = others.pop()
            found.update(
                ((number, position), of)
                for position, argument in enumerate(node.arguments)
                if isinstance(nodes[argument], Literal)
            )
    return found


def _joined(nodes: Sequence[Node]) -> set[int]:
    """The nodes that a condition is joined of, itself among them."""
    found = {len(nodes) - 1}
    for number in reversed(range(len(nodes))):
        node = nodes[number]
        if number in found and isinstance(node, Apply):
            if node.function in _JOINS:
                found.update(node.arguments)
            elif node.function == "fill":  # a comparison with a missing value
                found.update(node.arguments[:1])
    return found


def _rebuilt(nodes: Sequence[Node], placed: dict[tuple[int, int], Literal]) -> Iterator[Node]:
    """The nodes as `apply` puts them one after the other: each after its arguments, equal ones once."""
    made: dict[Node, int] = {}
    numbers: dict[int, int] = {}
    open_nodes = [len(nodes) - 1]
    while open_nodes:
        number = open_nodes[-1]
        node = nodes[number]
        if isinstance(node, Apply):
            arguments = []
            for position, argument in enumerate(node.arguments):
                literal = placed.get((number, position))
                if literal is not None:
                    arguments.append(made.setdefault(literal, len(made)))
                elif argument in numbers:
                    arguments.append(numbers[argument])
                else:
                    open_nodes.append(argument)
                    break
            if open_nodes[-1] != number:
                continue
            node = replace(node, arguments=tuple(arguments))
        numbers[number] = made.setdefault(node, len(made))
        open_nodes.pop()
    return iter(made)
