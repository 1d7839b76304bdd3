"""What stands in the place of a number that was not opened, since too few rows are behind it."""

from __future__ import annotations

from typing import Any, NoReturn

from icm_ray.errors import PolicyError

__all__ = ["Withheld"]


class Withheld:
    """A number that nobody was shown, and why. Whoever computes with it gets a `PolicyError`.

    Examples:
        >>> Withheld("mean of cost: fewer than 10 values")
        <withheld: mean of cost: fewer than 10 values>
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"<withheld: {self.reason}>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise PolicyError(f"withheld: {self.reason}")

    __float__ = __int__ = __index__ = __bool__ = __len__ = __iter__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __abs__ = __round__ = _refuse
