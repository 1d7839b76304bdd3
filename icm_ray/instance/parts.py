"""The parts that a question is asked in: some of its statistics, and the steps of those that are searched for.

A step of a search tells a function of the result, whatever a question claims to know by then (`RankSearch`). So an
approval of a question is one of each of its parts: an owner makes the part of the approved question itself, and what
comes has to equal that to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from icm_ray.instance.canonical import Canonical
from icm_ray.instance.parameters import filled, with_rows, with_values
from icm_ray.query.expressions.tree import Literal
from icm_ray.query.question import Asked, Question
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.rank_search import RankSearch
from icm_ray.query.tasks import GroupKey

__all__ = ["Part", "part_of", "part_with"]

_bytes: Final = msgspec.msgpack.encode


@dataclass(frozen=True, slots=True)
class Part:
    """steps: which statistics, by their places in the approved question, and which step of each. values: what was
    asked where that is left open, by name.
    """

    steps: frozenset[tuple[int, int]]
    values: Mapping[str, Literal]


def part_of(question: Canonical, approved: Canonical, names: Iterable[str]) -> Part | None:
    """Which part of an approved question this is, all of it too; names: of what is left open. None: it is another one,
    by one byte. What follows from an approved question is a part of it, too, by whichever groups, of as many as it may
    open.
    """
    found = _part(question, approved, names)
    if found is not None or approved.follows is None:
        return found
    template = replace(approved, asked=approved.follows, follows=None)
    then = _of_groups(question, template, _groups(approved))
    found = None if then is None else _part(then, template, names)
    if found is None:
        return None
    after = len(approved.asked.what.statistics) if isinstance(approved.asked.what, Question) else 0
    return Part(frozenset((after + place, step) for place, step in found.steps), found.values)


def part_with(question: Canonical, approved: Canonical, values: Mapping[str, Literal]) -> Part | None:
    """The same, of an approved question with these values where it is left open: a part need not have all of them."""
    made = with_values(approved, values)
    if approved.follows is not None:
        then = with_values(replace(approved, asked=approved.follows, follows=None), values)
        made = replace(made, follows=then.asked)
    found = part_of(question, made, ())
    return None if found is None else Part(found.steps, values)


def _groups(approved: Canonical) -> int:
    """How many groups a question may open."""
    what = approved.asked.what
    datasets = {one.dataset for one in what.statistics} if isinstance(what, Question) else set()
    return max((approved.asked.rows(name).groups for name in datasets), default=0)


def _of_groups(question: Canonical, template: Canonical, most: int) -> Canonical | None:
    """A question with a template's values in the place of those of its groups; None where these are more."""
    what, of = question.asked.what, template.asked.what
    if not isinstance(what, Question) or not isinstance(of, Question):
        return None
    known = {_bytes(replace(key, domain=())): key for key in _keys(of)}
    if not all(_bytes(replace(key, domain=())) in known and 0 < len(key.domain) <= most for key in _keys(what)):
        return None

    def of_template(one: Any) -> Any:
        return replace(one, by=tuple(known[_bytes(replace(key, domain=()))] for key in one.by))

    return with_rows(question, [*map(of_template, what.selections)], [*map(of_template, what.merges)])


def _keys(what: Question) -> Iterator[GroupKey]:
    """What rows are grouped by, of stated values."""
    for selection in what.selections:
        yield from selection.by
    for merge in what.merges:
        yield from merge.by


def _part(question: Canonical, approved: Canonical, names: Iterable[str]) -> Part | None:
    """Which part of what is asked first."""
    if (question.versions, question.parties) != (approved.versions, approved.parties):
        return None
    if _bytes(question.sharings) != _bytes(approved.sharings):
        return None
    found = filled(question, approved, names)
    if found is None:
        return None
    whole, values = found
    own, of = question.asked.what, whole.asked.what
    if not isinstance(own, Question) or not isinstance(of, Question):
        return None
    places = _places(own.statistics, of.statistics)
    if places is None:
        return None
    made = replace(
        of,
        statistics=tuple(_at(of.statistics[place], one) for place, one in zip(places, own.statistics, strict=True)),
        selections=_those(own.selections, of.selections),
        merges=_those(own.merges, of.merges),
        pools=_those(own.pools, of.pools),
    )
    if _bytes(Asked(made, whole.asked.facts)) != _bytes(question.asked):
        return None
    steps = ((place, _step(one)) for place, one in zip(places, own.statistics, strict=True))
    return Part(frozenset(steps), values)


def _places(own: Sequence[Statistic], of: Sequence[Statistic]) -> list[int] | None:
    """Where statistics are among others, in the same order; None where they are not."""
    found: list[int] = []
    wanted = [_bytes(one) for one in of]
    for one in own:
        first = found[-1] + 1 if found else 0
        try:
            found.append(wanted.index(_bytes(_whole(one)), first))
        except ValueError:
            return None
    return found


def _whole(one: Statistic) -> Statistic:
    """As it is asked first."""
    return replace(one, digits=0, prefixes=()) if isinstance(one, RankSearch) else one


def _at(one: Statistic, step: Statistic) -> Statistic:
    """A statistic at the step of the same."""
    if isinstance(one, RankSearch) and isinstance(step, RankSearch) and step.digits > 0:
        return replace(one, digits=step.digits, prefixes=step.prefixes)
    return one


def _step(one: Statistic) -> int:
    return one.digits if isinstance(one, RankSearch) else 0


def _those(own: Sequence[Any], of: Sequence[Any]) -> tuple[Any, ...]:
    """Of those of the approved question the ones that a part has."""
    there = {_bytes(one) for one in own}
    return tuple(one for one in of if _bytes(one) in there)
