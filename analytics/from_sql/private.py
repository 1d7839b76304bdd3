"""Groups by values that nobody states: private keys, among which NULL is a group of its own, as SQL has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from analytics.from_sql.aggregates import Maker, Measure
from analytics.from_sql.values import read_ticks
from analytics.group_keys import TEXT, private_keys
from analytics.meant import Meant
from analytics.merged_meant import EMPTY, MergedMeant
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.tasks import GroupKey

__all__ = ["PrivateGroups", "can_be_private", "filled", "filtered", "private_groups"]


def can_be_private(meant: Meant, of: Of) -> bool:
    """Whether rows are grouped by what this holds, whatever that is."""
    kind = meant.info(of).kind
    if isinstance(meant, MergedMeant) and meant.rows().policy is not None:
        return False
    return kind in EMPTY or unit_kind(kind) is not None


@dataclass(frozen=True, slots=True)
class PrivateGroups:
    """keys: what the rows are grouped by; of what may be NULL whether it is, too. readers: of each key of the text,
    where its words are among these, and what makes its value of them.
    """

    keys: PrivateKeys
    readers: tuple[tuple[int, int | None, Callable[[Any], Any]], ...]

    @property
    def makers(self) -> tuple[Maker, ...]:
        """The statistics that open the keys."""
        return tuple(_opens(key.of, place) for place, key in enumerate(self.keys.keys))

    def read(self, results: Sequence[Any]) -> dict[int, tuple[Any, ...]]:
        """The keys of the groups that there are, by their place. results: the numbers of rows, then the keys."""
        return {
            place: tuple(None if null is not None and row[null] else show(row[at]) for at, null, show in self.readers)
            for place, row in self._opened(results).items()
        }

    def _opened(self, results: Sequence[Any]) -> dict[int, tuple[Any, ...]]:
        """What is opened of the groups that there are, by their place."""
        columns = results[1 : 1 + len(self.keys.keys)]
        there = [place for place, value in enumerate(columns[0]) if value is not None]
        return {place: tuple(column[place] for column in columns) for place in there}

    def stated(self, results: Sequence[Any]) -> tuple[tuple[GroupKey, ...], dict[int, int]]:
        """Groups of the values that were opened, and by the place of each that there is which of them it is."""
        there = self._opened(results)
        domains = [tuple(dict.fromkeys(values)) for values in zip(*there.values(), strict=True)]
        groups = (GroupKey(key.of, domain) for key, domain in zip(self.keys.keys, domains, strict=bool(there)))
        cells = dict.fromkeys(there, 0)
        for number, domain in enumerate(domains):
            numbers = {value: at for at, value in enumerate(domain)}
            for place, row in there.items():
                cells[place] = cells[place] * len(domain) + numbers[row[number]]
        return tuple(groups), cells

    def one(self) -> tuple[GroupKey, ...]:
        """One group of stated values, for what is known of any."""
        return tuple(GroupKey(key.of, (EMPTY[key.kind],)) for key in self.keys.keys)


def _opens(of: Of, place: int) -> Maker:
    return lambda name: GroupKeys(name, of, place)


def private_groups(meant: Meant, keys: Sequence[Of], most: int | None, most_bytes: int | None) -> PrivateGroups:
    """The groups of some keys, for which `can_be_private` holds. Errors: `InputError` (room for no group, or too
    many).
    """
    columns: list[Of] = []
    readers: list[tuple[int, int | None, Callable[[Any], Any]]] = []
    for of in keys:
        info = meant.info(of)
        null = None
        if info.nullable:
            null = len(columns)
            columns.append(apply("is_null", (of,)))
        unit = unit_kind(info.kind)
        ticks = None if unit is None else meant.ticks(of)
        plain = of if ticks is None else ticks.of
        readers.append((len(columns), null, read_ticks(info.kind, ticks)))
        columns.append(filled(meant, plain))
    return PrivateGroups(private_keys(meant, columns, most, TEXT if most_bytes is None else most_bytes), tuple(readers))


def filled(meant: Meant, of: Of) -> Of:
    """The same, with an empty value where it is NULL."""
    info = meant.info(of)
    if not info.nullable:
        return of
    texts = meant.facts.texts(of) if meant.facts.shared and info.kind == "string" else ()
    return apply("fill", (of, literal(texts[0] if texts else EMPTY.get(info.kind, 0))))


def filtered(measure: Measure, make: Maker) -> Maker:
    """A statistic of the rows that count: other rows lack a value, for all statistics are of the same groups."""
    condition = measure.condition
    if condition is None:
        return make

    def made(name: str) -> Any:
        statistic = make(name)
        return structs.replace(statistic, column=apply("where", (condition, statistic.column, literal(None))))

    return made
