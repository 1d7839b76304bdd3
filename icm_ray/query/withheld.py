"""What stands in the place of a number that was not opened, since too few rows are behind it."""

from __future__ import annotations

from typing import Any, NoReturn

from icm_ray.errors import PolicyError

__all__ = ["Withheld"]


class Withheld:
    """A `Withheld` stands for a number that nobody was shown. Whoever computes with it gets a `PolicyError`.

    Args:
        reason: Why, and what to ask instead; an attribute too.

    Examples:
        >>> icm.Withheld("mean of cost: fewer than 10 values are behind it")
        <withheld: mean of cost: fewer than 10 values are behind it>
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"<withheld: {self.reason}>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise PolicyError(f"withheld: {self.reason}")

    __float__ = __int__ = __index__ = __bool__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __abs__ = __round__ = _refuse
