"""What belongs to the process whose links it uses: it is not pickled, and whoever tries is told what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn, Self, SupportsIndex

from icm_ray.errors import UnsupportedError

__all__ = ["StaysHere"]


class StaysHere:
    """Sessions, and what is asked of them: links to workers do not travel. Copies are the thing itself."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise UnsupportedError(
            f"a {type(self).__name__} cannot be pickled or sent to another process or Ray task: its links belong to "
            "the process that opened the session. Call reveal() here and send the result, or open a session there"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
