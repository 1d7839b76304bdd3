"""Text, as Python has it: letters of every alphabet, not of one table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from icm_ray.owner.expressions.casts import each_once
from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]


def _text(argument: Any) -> Any:
    import pyarrow as pa

    return argument.cast(pa.string()) if pa.types.is_null(argument.type) else argument


def _matched(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
        import pyarrow.compute as pc

        return pc.call_function(function, [_text(arguments[0])], pc.MatchSubstringOptions(str(options[0])))

    return evaluate


def _length(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.utf8_length(_text(arguments[0])).cast(pa.int64())


def _lettered(ascii_function: str, function: Callable[[str], str]) -> Evaluator:
    """Arrow's where there is nothing but ASCII; Python's else, which makes two letters of some."""

    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        values = _text(arguments[0])
        if isinstance(values, pa.Scalar):
            text = values.as_py()
            return pa.scalar(None if text is None else function(text), values.type)
        if pc.all(pc.string_is_ascii(values)).as_py() is not False:
            return pc.call_function(ascii_function, [values])
        return each_once(values, function, values.type)

    return evaluate


def _strip(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.utf8_trim(_text(arguments[0]), characters=str(options[0]))


EVALUATORS: Mapping[str, Evaluator] = {
    "starts_with": _matched("starts_with"),
    "ends_with": _matched("ends_with"),
    "contains": _matched("match_substring"),
    "length": _length,
    "lower": _lettered("ascii_lower", str.lower),
    "upper": _lettered("ascii_upper", str.upper),
    "strip": _strip,
}
