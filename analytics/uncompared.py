"""Objects whose comparison has no answer: it raises rather than being False or True in silence."""

from __future__ import annotations

from typing import NoReturn

from icm_ray.runtime.driver.stays_here import StaysHere

__all__ = ["Uncompared"]


class Uncompared(StaysHere):
    """Refuses ==, !=, <, <=, > and >=. Each object is hashed as itself."""

    __slots__ = ()

    def _why(self) -> str:
        """What it is and what to do instead."""
        return f"a {type(self).__name__} is not compared"

    def _refuse(self, _other: object) -> NoReturn:
        raise TypeError(self._why())

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = object.__hash__
