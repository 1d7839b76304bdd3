"""What a model says of images as one table, for a recipient who did not ask it: a row for each image."""

from __future__ import annotations

from typing import Final

from icm_ray.network.programs import PredictionQuestion
from icm_ray.query.result_table import ResultColumn, ResultTable
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import decode, decode_integers

__all__ = ["MOST_CELLS", "predicted_in_words", "predicted_table"]

MOST_CELLS: Final = 4096
"""Numbers for each image: each is a column."""
_FIXED_POINT: Final = {"logits", "probabilities"}


def predicted_table(asked: PredictionQuestion, first: int, f: int, words: RingArray) -> ResultTable:
    """Of opened words (n, ...), with f fractional bits. first: the place of the first of these images among all.

    The key is the place, "row"; the output is under its name, several numbers of an image as "logits 0", "logits 1".
    """
    cells = words.reshape(len(words), -1)
    values = (decode(cells, f) if asked.output in _FIXED_POINT else decode_integers(cells)).T.tolist()
    names = [asked.output] if len(values) == 1 else [f"{asked.output} {place}" for place in range(len(values))]
    row = ResultColumn("row", list(range(first, first + len(words))))
    return ResultTable((row, *(ResultColumn(name, cell) for name, cell in zip(names, values, strict=True))), 1)


def predicted_in_words(asked: PredictionQuestion) -> str:
    """What is asked, in one line."""
    more = {"top_k": f" (k={asked.k})", "above": f" (threshold {asked.threshold:g})"}.get(asked.output, "")
    return f"{asked.output}{more} of images of {asked.images} by a model of {asked.owner}"
