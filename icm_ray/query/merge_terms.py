"""A condition on merged rows as a sum of products: of a condition on the left rows and one on the right rows each.

Owners evaluate what is of one side in the clear. A condition of both is taken apart at its `& | ~`, so that the
products exclude one another, and the bit of a pair of rows is the sum of products of bits: with T where a condition
is true, F where it is false, and N before either where it is not (of a missing value neither is),

    T(a | b) = T(a) + NT(a) T(b)     T(a & b) = T(a) T(b)     T(~a) = F(a)     and likewise of F, NT, NF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.tree import (
    Apply,
    Column,
    Expression,
    Literal,
    Of,
    apply,
    columns_of,
    conjunction,
    literal,
    nodes_of,
)  # fmt: skip

__all__ = ["EVERY_PAIR", "Term", "parts_of", "terms_of", "without_right"]

_MOST_TERMS = 16


@dataclass(frozen=True, slots=True)
class Term:
    """The pairs of rows where both conditions are true; None: of any row."""

    left: Of | None = None
    right: Of | None = None

    def both(self, other: Term) -> Term:
        """Where this and another are true."""
        return Term(conjunction(self.left, other.left), conjunction(self.right, other.right))


EVERY_PAIR = Term()


class _Want(Enum):
    TRUE = auto()
    FALSE = auto()
    NOT_TRUE = auto()
    NOT_FALSE = auto()


_OTHER = {
    _Want.TRUE: _Want.NOT_TRUE,
    _Want.NOT_TRUE: _Want.TRUE,
    _Want.FALSE: _Want.NOT_FALSE,
    _Want.NOT_FALSE: _Want.FALSE,
}
_NEGATED = {
    _Want.TRUE: _Want.FALSE,
    _Want.FALSE: _Want.TRUE,
    _Want.NOT_TRUE: _Want.NOT_FALSE,
    _Want.NOT_FALSE: _Want.NOT_TRUE,
}
_ALL = {"and": (_Want.TRUE, _Want.NOT_FALSE), "or": (_Want.FALSE, _Want.NOT_TRUE)}
"""What all arguments have to be for the whole to be it; of the rest any one."""

Terms = list[Term] | None  # None: too many


def parts_of(of: Of, column: Callable[[str], Of] = str) -> list[Of]:
    """The expression of each node. column: what stands in the place of a column, by its name."""
    parts: list[Of] = []
    for node in nodes_of(of):
        if isinstance(node, Column):
            parts.append(column(node.name))
        elif isinstance(node, Literal):
            parts.append(Expression((node,)))
        else:
            parts.append(apply(node.function, [parts[argument] for argument in node.arguments], node.options))
    return parts


def without_right(of: Of, right: Callable[[str], str | None]) -> Of:
    """The expression of rows that no right row meets. right: the kind of a column of the right side, None for one of
    the left.
    """

    def met(name: str) -> Of:
        kind = right(name)
        return name if kind is None else Expression((Literal(None, kind),))

    return parts_of(of, met)[-1]


def terms_of(where: Of | None, is_right: Callable[[str], bool]) -> list[Term]:
    """Terms of which exactly one is true where the condition is, none elsewhere.

    is_right: whether a column is one of the right side. Errors: `ColumnError` where columns of both sides are computed
    with or compared, or there are too many terms.
    """
    if where is None:
        return [EVERY_PAIR]
    found: list[dict[_Want, Terms]] = []
    for node, part in zip(nodes_of(where), parts_of(where), strict=True):
        sides = {is_right(name) for name in columns_of(part)}
        if len(sides) < 2:
            found.append(_of_one_side(part, right=True in sides))
        else:
            found.append(_of_both(node, found))
    terms = found[-1][_Want.TRUE]
    if terms is None:
        raise ColumnError(
            f"a condition of both frames with more than {_MOST_TERMS} cases: choose rows before the merge"
        )
    return terms


def _of_one_side(of: Of, *, right: bool) -> dict[_Want, Terms]:
    false = literal(value=False)
    true_bit, false_bit = apply("fill", (of, false)), apply("fill", (apply("not", (of,)), false))
    wanted = {
        _Want.TRUE: true_bit,
        _Want.FALSE: false_bit,
        _Want.NOT_TRUE: apply("not", (true_bit,)),
        _Want.NOT_FALSE: apply("not", (false_bit,)),
    }
    return {want: [Term(right=bit) if right else Term(left=bit)] for want, bit in wanted.items()}


def _of_both(node: object, found: Sequence[dict[_Want, Terms]]) -> dict[_Want, Terms]:
    if not isinstance(node, Apply) or node.function not in {"and", "or", "not"}:
        what = node.function if isinstance(node, Apply) else "a condition"
        raise ColumnError(
            f"{what}: columns of both frames are not computed with or compared; conditions of each are joined by & | ~"
        )
    arguments = [found[argument] for argument in node.arguments]
    if node.function == "not":
        return {want: arguments[0][_NEGATED[want]] for want in _Want}
    return {want: _every(want, arguments) if want in _ALL[node.function] else _any(want, arguments) for want in _Want}


def _every(want: _Want, arguments: Sequence[dict[_Want, Terms]]) -> Terms:
    made: Terms = [EVERY_PAIR]
    for argument in arguments:
        made = _times(made, argument[want])
    return made


def _any(want: _Want, arguments: Sequence[dict[_Want, Terms]]) -> Terms:
    made: Terms = []
    before: Terms = [EVERY_PAIR]
    for argument in arguments:
        more = _times(before, argument[want])
        before = _times(before, argument[_OTHER[want]])
        made = None if made is None or more is None or len(made) + len(more) > _MOST_TERMS else [*made, *more]
    return made


def _times(one: Terms, other: Terms) -> Terms:
    if one is None or other is None or len(one) * len(other) > _MOST_TERMS:
        return None
    return [first.both(second) for first in one for second in other]
