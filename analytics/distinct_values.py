"""How many different values there are, whatever these are: in what form values of each kind are compared."""

from __future__ import annotations

from typing import Final

from analytics.execute import Part
from analytics.group_keys import TEXT, places_for, private_keys
from analytics.meant import Groups, Meant
from icm_ray.errors import ColumnError, PolicyError
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.expressions.words import words
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.distinct_in_groups import DistinctInGroups

__all__ = ["compared", "different", "different_of_all", "part_of_different"]

_TEXT_OF_FLOAT: Final = 24
"""Bytes of the longest number, as Python writes it."""
_COUNTED: Final = frozenset({"string", "int", "bool"})


def compared(meant: Meant, of: Of, most_bytes: int = TEXT) -> tuple[Of, int]:
    """What is counted in a column's place, and the most bytes of it where it is text."""
    kind = meant.info(of).kind
    if unit_kind(kind) is not None:
        return meant.ticks(of).of, most_bytes
    if kind == "float" and not meant.dataset.facts.shared:  # as text, in which there is one zero
        return apply("cast", (apply("add", (of, literal(0.0))),), ("string",)), _TEXT_OF_FLOAT
    return of, most_bytes


def different(meant: Meant, dataset: str, of: Of) -> DistinctInGroups:
    """How many different values of a column each group has. Errors: `ColumnError`, `PolicyError`."""
    facts = meant.dataset.facts
    if facts.policy is not None:
        reason = (
            "of each group that is not told: values that few rows have would count; nunique(domain=[...]) of all rows"
        )
        raise PolicyError(f"number of distinct values of {meant.info(of).name}: {reason}", dataset=facts.source)
    counted, most_bytes = compared(meant, of)
    values = None if facts.shared else private_keys(meant, [counted], places_for(meant), most_bytes)
    return DistinctInGroups(dataset=dataset, column=counted, values=values)


def different_of_all(meant: Meant, of: Of, most: int | None = None, most_bytes: int = TEXT) -> Part:
    """How many different values a column of some rows has. most, most_bytes: as of private keys.

    Errors: `ColumnError`, `InputError`, `PolicyError`.
    """
    counted, most_bytes = compared(meant, of, most_bytes)
    kind, facts = meant.info(counted).kind, meant.facts
    if facts.shared and kind not in _COUNTED:
        raise ColumnError(
            f"number of distinct values of {words(of)}: different values are counted of text, whole numbers and "
            f"booleans, not of {kind}; ask before .share()",
            column=words(of),
        )
    keys = private_keys(meant, [counted], most, most_bytes)
    part = meant.part(Distinct(meant.name(keys), counted), keys)
    part.statistic.partials(part.rows)  # refuses what cannot be
    return part


def part_of_different(meant: Meant, of: Of, by: Groups, room: tuple[int | None, int | None]) -> Part:
    """The same of rows in groups of public values, or of all rows. room: `different_of_all`'s most and most_bytes."""
    if not by:
        most, most_bytes = room
        return different_of_all(meant, of, most, TEXT if most_bytes is None else most_bytes)
    part = meant.part(different(meant, meant.name(by), of), by)
    part.statistic.partials(part.rows)
    return part
