"""Which column of a table or Dataset holds the images."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.errors import ColumnError

__all__ = ["image_column"]


def image_column(fit: Sequence[str], named: str | None, there: Sequence[str]) -> str:
    """The one that is named, else the only one that may hold images. fit: those; there: all. Raises `ColumnError`."""
    names = ", ".join(map(repr, there))
    if named is not None:
        if named not in there:
            raise ColumnError(f"there is no column {named!r}; there are {names}")
        return named
    if len(fit) != 1:
        which = "no column holds images" if not fit else f"{', '.join(map(repr, fit))} may hold the images"
        raise ColumnError(f"{which}; there are {names}: name the one with column=")
    return fit[0]
