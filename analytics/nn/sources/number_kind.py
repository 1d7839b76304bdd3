"""That all rows hold numbers of one kind."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from icm_ray.errors import ShapeError

__all__ = ["NumberKind"]


class NumberKind:
    """That all rows hold floats, or all integers: a Dataset whose schema changes is not read on."""

    def __init__(self) -> None:
        self._kind = ""

    def check(self, images: NDArray[Any], rows: str) -> None:
        """Raise `ShapeError` for images of the other kind. rows: these, in words."""
        kind = "float" if images.dtype.kind == "f" else "integer"
        if self._kind not in {"", kind}:
            raise ShapeError(f"{rows}: numbers of dtype {images.dtype}; those before hold {self._kind} numbers")
        self._kind = kind
