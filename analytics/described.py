"""What is said of a column that is described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from icm_ray.errors import ColumnError, InputError
from icm_ray.query.arrow_kinds import Family, unit_kind

__all__ = ["MEASURED", "is_measured", "percentiles_of", "verbs_of"]

MEASURED: Final = frozenset({"int", "float"})
"""The kinds of numbers that are described by their sizes."""


def is_measured(kind: str) -> bool:
    """Whether values of a kind are described by their sizes, rather than by how often each is there."""
    return kind in MEASURED or unit_kind(kind) is not None


def verbs_of(kind: str, name: str, percentiles: Sequence[float]) -> list[tuple[str, str, float]]:
    """(what pandas calls it, the aggregate, which quantile): of times no deviation.

    Errors: `ColumnError` for a kind that is not described by its sizes. name: of the column.
    """
    from pandas.io.formats.format import format_percentiles

    unit = unit_kind(kind)
    if not is_measured(kind):
        raise ColumnError(f"column {name!r} holds {kind}, and no numbers or times to describe", column=name)
    spread = [] if unit is not None and unit.family in {Family.NAIVE, Family.AWARE} else [("std", "std", 0.5)]
    ranked = [(label, "median", q) for label, q in zip(format_percentiles(percentiles), percentiles, strict=True)]
    return [("count", "count", 0.5), ("mean", "mean", 0.5), *spread, ("min", "min", 0.5), *ranked, ("max", "max", 0.5)]


def percentiles_of(given: Any) -> list[float]:
    """In order; None: the quartiles. Errors: `InputError`."""
    if given is None:
        return [0.25, 0.5, 0.75]
    try:
        wanted = [float(one) for one in given]
    except (TypeError, ValueError):
        raise InputError(f"percentiles= takes numbers from 0 to 1, not {given!r}") from None
    if not all(0 <= one <= 1 for one in wanted):
        raise InputError(f"percentiles lie from 0 to 1, not at {next(one for one in wanted if not 0 <= one <= 1)}")
    if len(set(wanted)) < len(wanted):
        raise InputError("percentiles= has one twice")
    return sorted(wanted)
