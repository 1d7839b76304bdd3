"""What numpy and pandas would take for an array: they are told what to ask instead, for the values are not here."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import numpy as np

from icm_ray.errors import UnsupportedError

__all__ = ["NoArrays"]

_OPERATORS: Final[Mapping[Any, Callable[[Any, Any], Any]]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
}
"""What stands between a scalar of numpy and what is on its right."""


class NoArrays:
    """Refuses to become an array, so that no function of numpy or pandas takes it for something else in silence."""

    __slots__ = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        self._no_array("arrays hold values")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> NoReturn:
        name = str(func.__name__)
        self._no_array(f"numpy.{name} takes values", f"ask it, .{name}()" if hasattr(type(self), name) else "")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        operation = _OPERATORS.get(ufunc)
        others = [item for item in inputs if item is not self]
        if operation is None or method != "__call__" or options or not all(map(_is_number, others)):
            self._no_array(f"numpy.{ufunc.__name__} takes values")
        return operation(*(item if item is self else item.item() for item in inputs))

    def _no_array(self, why: str, instead: str = "") -> NoReturn:
        instead = instead or "use its operators and methods, an.crosstab, an.merge, an.concat and an.cut"
        raise UnsupportedError(f"{why}, and those of a {type(self).__name__} are not here: {instead}")


def _is_number(item: Any) -> bool:
    """Whether it is a scalar of numpy, or an array without dimensions that it has become; times are none."""
    return isinstance(item, np.generic | np.ndarray) and item.ndim == 0 and item.dtype.kind in "biuf"
