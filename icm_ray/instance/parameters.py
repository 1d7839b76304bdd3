"""The parameters of a question: literals that its filters compare columns with, each under the column's name.

An approval may leave some of them open within ranges. What is asked then has to be, to the byte, what the owner makes
of the approved question and the values: nothing else of it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from icm_ray.instance.canonical import Canonical
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.ranges import reading
from icm_ray.query.expressions.compared import Compared, compared, with_literals
from icm_ray.query.expressions.tree import Literal, Of
from icm_ray.query.merge import Merge
from icm_ray.query.question import Asked, Question
from icm_ray.query.selection import Selection

__all__ = ["Parameter", "filled", "parameters", "with_rows", "with_values"]

_MOST: Final = 256
"""Literals of a question; one with more has no parameters."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """name: that of what it is compared with; of several for one column with their number: "year.1". place: among all
    literals of the question's conditions.
    """

    name: str
    of: str
    literal: Literal
    place: int


def parameters(question: Canonical | PredictionForm) -> tuple[Parameter, ...]:
    """In their order: conditions of selections, then of merges. Those whose name two have are none, nor is what has no
    order, and is no text.
    """
    if isinstance(question, PredictionForm):
        return ()
    found = [one for condition in _conditions(question) for one in _compared(condition)]
    if len(found) > _MOST:
        return ()
    times = Counter(one.what for one in found)
    numbers: Counter[str] = Counter()
    named = []
    for place, one in enumerate(found):
        numbers[one.what] += 1
        name = one.what if times[one.what] == 1 else f"{one.what}.{numbers[one.what]}"
        named.append(Parameter(name, one.what, one.literal, place))
    names = Counter(one.name for one in named)
    return tuple(one for one in named if names[one.name] == 1 and reading(one.literal) is not None)


def filled(
    question: Canonical, approved: Canonical, names: Iterable[str]
) -> tuple[Canonical, dict[str, Literal]] | None:
    """An approved question with the values that another has where it is left open, and these by name. None: the other
    has no such parameters.
    """
    left_open = set(names)
    if not left_open:
        return approved, {}
    own = {one.name: one.literal for one in parameters(question) if one.name in left_open}
    if left_open - own.keys() or left_open - {one.name for one in parameters(approved)}:
        return None
    return with_values(approved, own), own


def with_values(approved: Canonical, values: Mapping[str, Literal]) -> Canonical:
    """An approved question with these values, by name, where it has them."""
    return _with(
        approved,
        {
            one.place: replace(one.literal, value=values[one.name].value)  # of the approved kind
            for one in parameters(approved)
            if one.name in values
        },
    )


def _compared(condition: Of | None) -> tuple[Compared, ...]:
    return () if condition is None else compared(condition)


def _conditions(question: Canonical) -> Iterator[Of | None]:
    what = question.asked.what
    if isinstance(what, Question):
        yield from (one.where for one in what.selections)
        for merge in what.merges:
            yield from (merge.left.where, merge.right.where, merge.where)


def _with(question: Canonical, taken: Mapping[int, Literal]) -> Canonical:
    """A question with other literals, by their places: rows that are named by what they are have other names."""
    what = question.asked.what
    if not isinstance(what, Question):
        return question
    conditions = iter(_replaced(question, taken))
    selections = tuple(replace(one, where=next(conditions)) for one in what.selections)
    merges = tuple(
        replace(
            one,
            left=replace(one.left, where=next(conditions)),
            right=replace(one.right, where=next(conditions)),
            where=next(conditions),
        )
        for one in what.merges
    )
    return with_rows(question, selections, merges)


def with_rows(question: Canonical, selections: Sequence[Selection], merges: Sequence[Merge]) -> Canonical:
    """A question about other rows, in the same order: what is named by them has other names."""
    what = question.asked.what
    if not isinstance(what, Question):
        return question
    called = {one.name: other.name for one, other in zip(what.selections, selections, strict=True)}
    called |= {one.name: other.name for one, other in zip(what.merges, merges, strict=True)}
    statistics = tuple(replace(one, dataset=called.get(one.dataset, one.dataset)) for one in what.statistics)
    made = replace(what, statistics=statistics, selections=tuple(selections), merges=tuple(merges))
    return replace(question, asked=Asked(made, question.asked.facts))


def _replaced(question: Canonical, taken: Mapping[int, Literal]) -> Iterator[Of | None]:
    """The conditions, in their order, with other literals."""
    first = 0
    for condition in _conditions(question):
        own = _compared(condition)
        places = range(first, first + len(own))
        literals = [taken.get(place, one.literal) for place, one in zip(places, own, strict=True)]
        yield with_literals(condition, literals) if condition is not None and own else condition
        first += len(own)
