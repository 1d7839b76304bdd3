"""Text with Arrow's functions, which are those of pandas' own kind of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def _plainly(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow.compute as pc

        return pc.call_function(function, [_text(arguments[0])])

    return evaluate


def _strip(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.utf8_trim(_text(arguments[0]), characters=str(options[0]))


EVALUATORS: Mapping[str, Evaluator] = {
    "starts_with": _matched("starts_with"),
    "ends_with": _matched("ends_with"),
    "contains": _matched("match_substring"),
    "length": _length,
    "lower": _plainly("utf8_lower"),
    "upper": _plainly("utf8_upper"),
    "strip": _strip,
    "trim": _plainly("utf8_trim_whitespace"),
}
