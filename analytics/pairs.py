"""Two columns of the same rows, where both have a value: of one kind of numbers, as statistics of pairs take them."""

from __future__ import annotations

from analytics.meant import Meant
from icm_ray.errors import ColumnError
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.kinds import NUMBERS

__all__ = ["paired"]


def paired(meant: Meant, one: Of, other: Of) -> tuple[Of, Of]:
    """Both columns, each missing where the other is: integers beside floats as the nearest doubles, as pandas has it,
    booleans beside integers as these; shared ones as they are. Errors: `ColumnError` (no numbers).
    """
    infos = [meant.info(of) for of in (one, other)]
    for info in infos:
        if info.kind not in NUMBERS:
            raise ColumnError(f"column {info.name!r} holds {info.kind}, and no numbers", column=info.name)
    kinds = {info.kind for info in infos}
    alike = [one, other]
    if len(kinds) > 1 and not meant.dataset.facts.shared:  # shares of all kinds are multiplied
        alike = [_as(of, info.kind, "float" in kinds) for of, info in zip(alike, infos, strict=True)]
    if one == other:
        return alike[0], alike[1]
    first, second = (
        _where_there(of, beside) if info.nullable else of
        for of, beside, info in zip(alike, (other, one), reversed(infos), strict=True)
    )
    return first, second


def _where_there(of: Of, beside: Of) -> Of:
    """A column, missing where another one is."""
    return apply("where", (apply("not", (apply("is_null", (beside,)),)), of, literal(None)))


def _as(of: Of, kind: str, floats: bool) -> Of:
    """A column as one of floats, or of integers."""
    if kind == ("float" if floats else "int"):
        return of
    return apply("multiply", (of, literal(1.0))) if floats else apply("add", (of, literal(0)))
