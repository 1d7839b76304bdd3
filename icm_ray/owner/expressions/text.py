"""Text with Arrow's functions, which are those of pandas' own kind of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.query.expressions.text import BASE, TEXT_PIECE
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


def _order(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    """Bytes from a place on as the digits of a number, each one more, 0 behind the last: in the order of the text."""
    import pyarrow as pa

    texts = arguments[0]
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.large_string())
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    found = np.zeros(len(texts), np.int64)
    places = ends[:-1] + int(str(options[0]))
    for step in range(TEXT_PIECE):
        inside = places + step < ends[1:]
        found *= BASE
        found[inside] += data[(places + step)[inside]].astype(np.int64) + 1
    return pa.array(found, mask=missing if missing.any() else None)


EVALUATORS: Mapping[str, Evaluator] = {
    "starts_with": _matched("starts_with"),
    "ends_with": _matched("ends_with"),
    "contains": _matched("match_substring"),
    "length": _length,
    "lower": _plainly("utf8_lower"),
    "upper": _plainly("utf8_upper"),
    "strip": _strip,
    "trim": _plainly("utf8_trim_whitespace"),
    "text_order": _order,
}
