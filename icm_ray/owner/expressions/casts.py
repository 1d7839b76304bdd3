"""From one kind to another, as pandas' astype has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from icm_ray.owner.expressions.blocks import as_arrow, doubles, integers, unscaled
from icm_ray.owner.expressions.evaluator import Evaluator, Unfit
from icm_ray.owner.expressions.kinds import is_float, without_nan
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS", "each_once"]

_EXACT_TENS = 22  # powers of ten that are doubles


def _cast(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa

    (values,) = arguments
    scalar = isinstance(values, pa.Scalar)
    if scalar:
        values = pa.array([values.as_py()], values.type)
    target = options[0]
    result = {"int": _to_int, "float": _to_float, "bool": _to_bool, "string": _to_string}[str(target)](values)
    return result[0] if scalar else result


def _to_int(values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_text(values):
        _none_missing(values)
        if pc.all(pc.match_substring_regex(values, r"^\s*[+-]?[0-9]+\s*$")).as_py() is False:
            raise Unfit("some text is no whole number; make floats of it, astype('float')")
        try:
            return _number_text(values).cast(pa.int64())
        except pa.ArrowInvalid:
            raise OverflowError from None
    if pa.types.is_decimal(values.type):  # towards zero
        values = pc.trunc(values).cast(pa.decimal128(38, 0))
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid:
            raise OverflowError from None
    if not is_float(values):
        return values if pa.types.is_integer(values.type) else values.cast(pa.int64())
    _none_missing(values)
    plain = np.trunc(doubles(values))
    if not np.isfinite(plain).all():
        raise Unfit("infinite values are no integers")
    if (plain < -(2.0**63)).any() or (plain >= 2.0**63).any():
        raise OverflowError
    return pa.array(plain.astype(np.int64))


def _none_missing(values: Any) -> None:
    if values.null_count:
        raise Unfit("missing values are no integers: fillna() or dropna() first")


def _to_float(values: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_decimal(values.type):
        return _decimal_to_float(values)
    if not _is_text(values):
        return values.cast(pa.float64(), safe=False)
    try:
        return without_nan(_number_text(values).cast(pa.float64()))
    except pa.ArrowInvalid:
        raise Unfit("some text is no number") from None


def _decimal_to_float(values: Any) -> Any:
    """The nearest doubles, which Arrow's are not."""
    import pyarrow as pa

    scale = values.type.scale
    try:
        whole, missing = integers(unscaled(values))
    except OverflowError:
        return each_once(values, float, pa.float64())
    if not 0 <= scale <= _EXACT_TENS or (np.abs(whole) > 1 << 53).any():
        return each_once(values, float, pa.float64())
    return as_arrow(whole / 10.0**scale, missing)  # both are exact, so that the quotient is rounded once


def _to_bool(values: Any) -> Any:
    """NaN is not 0, so it is true; so is what else is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    held = values if pa.types.is_boolean(values.type) else pc.not_equal(values.cast(pa.float64(), safe=False), 0.0)
    return pc.fill_null(held.cast(pa.bool_()), True)


def _to_string(values: Any) -> Any:
    import pyarrow as pa

    if _is_text(values):
        return values
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    return each_once(values, str, pa.string())


def each_once(values: Any, of: Callable[[Any], Any], kind: Any) -> Any:
    """What a function gives of each value (rows,), called once for equal ones; missing values stay missing."""
    import pyarrow as pa

    encoded = values.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    made = pa.array([None if value is None else of(value) for value in encoded.dictionary.to_pylist()], kind)
    return made.take(encoded.indices)


def _is_text(values: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))


def _number_text(values: Any) -> Any:
    """Without what Python takes around a number and Arrow does not."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"^\+", "")


EVALUATORS: Mapping[str, Evaluator] = {"cast": _cast}
