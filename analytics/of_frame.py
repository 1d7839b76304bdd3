"""What methods of frames that are in files of their own find there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.meant import Meant
    from icm_ray.query.expressions.tree import Of

__all__ = ["OfFrame"]


class OfFrame:
    """Said to a type checker alone: `SecureFrame` has it."""

    __slots__ = ()

    if TYPE_CHECKING:
        _meant: Meant
        _columns: dict[str, Of]

        def __init__(self, meant: Meant, columns: Mapping[str, Of] | None = None) -> None: ...

        def __getitem__(self, names: Any) -> Any: ...

        def _known(self, name: str) -> str: ...
