"""What stands in the place of a number that was not opened, since too few rows are behind it."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import PolicyError

__all__ = ["MaskedCounts", "Withheld", "masked_counts"]


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

    @property
    def withheld(self) -> dict[tuple[()], str]:
        """The reason, as results of several numbers have one for each place.

        Examples:
            >>> icm.Withheld("too few").withheld
            {(): 'too few'}
        """
        return {(): self.reason}

    def __repr__(self) -> str:
        return f"<withheld: {self.reason}>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise PolicyError(f"withheld: {self.reason}")

    def __format__(self, form: str) -> str:
        return self._refuse() if form else str(self)

    __float__ = __int__ = __index__ = __bool__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __abs__ = __round__ = _refuse


class MaskedCounts(np.ma.MaskedArray):
    """Numbers some of which were withheld, and are masked: a `numpy.ma.MaskedArray` that knows why.

    `masked_counts` makes them: users do not call the class.

    Examples:
        >>> from icm_ray.query.withheld import masked_counts
        >>> masked_counts(np.array([12, 0]), np.array([False, True]), "too few").withheld
        {1: 'too few'}
    """

    @property
    def withheld(self) -> dict[int | tuple[int, ...], str]:
        """The reason by place of what was withheld.

        Examples:
            >>> from icm_ray.query.withheld import masked_counts
            >>> masked_counts(np.zeros((1, 2)), np.array([[False, True]]), "too few").withheld
            {(0, 1): 'too few'}
        """
        places = np.argwhere(np.ma.getmaskarray(self)).tolist()
        kept: dict[str, str] = self._optinfo  # type: ignore[attr-defined]  # what numpy hands on to parts and copies
        reason = kept.get("reason", "")
        return {place[0] if len(place) == 1 else tuple(place): reason for place in places}


def masked_counts(values: NDArray[Any], withheld: NDArray[np.bool_], reason: str) -> Any:
    """Numbers, those of them masked that were withheld.

    Args:
        values: The numbers, 0 where one was withheld.
        withheld: Of the same shape: where one was.
        reason: Why.

    Returns:
        A `MaskedCounts`.

    Examples:
        >>> from icm_ray.query.withheld import masked_counts
        >>> int(masked_counts(np.array([12, 0]), np.array([False, True]), "too few").sum())
        12
    """
    made: Any = MaskedCounts(values, withheld, fill_value=0)
    made._optinfo["reason"] = reason
    return made
