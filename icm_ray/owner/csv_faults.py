"""Where a CSV file is not what it should be: found by going through its lines, once reading it has failed."""

from __future__ import annotations

import csv

import numpy as np

from icm_ray.errors import SourceError
from icm_ray.owner.compression import DAMAGED, opened
from icm_ray.owner.lines import records
from icm_ray.query.dialect import Dialect

__all__ = ["check_quotes", "unreadable"]

_CHUNK = 1 << 20
_QUOTE = ord('"')
_ENDLESS = "unexpected end of data"  # the reader's word for a quote that none ends


def unreadable(path: str, dialect: Dialect) -> SourceError:
    """The error that says which line is wrong, and what was expected there; never what it holds."""
    what = _first_fault(path, dialect)
    return SourceError(f"{path}: cannot be read as CSV: {what}", path=path)


def _first_fault(path: str, dialect: Dialect) -> str:
    line, wanted = 0, 0
    try:
        for line, cells in records(path, dialect, strict=True):
            wanted = wanted or len(cells)
            if len(cells) != wanted:
                there, few = _counted(len(cells)), "fewer" if len(cells) < wanted else "more"
                return f"line {line} has {there}, {few} than the {wanted} of the header (sep={dialect.sep!r})"
    except UnicodeError:
        return f"{_undecodable(path, dialect, line)} is no {dialect.encoding}; give its encoding=, as in 'latin-1'"
    except csv.Error as error:
        if _ENDLESS in str(error):
            return f"a quoted cell that begins after line {line} does not end"
    except DAMAGED:
        return "its bytes cannot be read, or unpacked"
    return "lines of as many cells as the header, and quotes that end, are needed"


def _counted(cells: int) -> str:
    return f"{cells} cell" + "s" * (cells != 1)


def check_quotes(path: str, dialect: Dialect) -> None:
    """Raise `SourceError` where the last cell begins with a quote and none ends it: it would hold all rows behind.

    Pairs of quotes need no further look; a single one may stand within a cell, which a pass over all records tells.
    """
    odd = 0
    with opened(path) as stream:
        while chunk := stream.read(_CHUNK):
            odd ^= int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == _QUOTE)) & 1
    if not odd:
        return
    try:
        for _ in records(path, dialect, strict=True):
            continue
    except csv.Error as error:
        if _ENDLESS in str(error):
            raise unreadable(path, dialect) from None


def _undecodable(path: str, dialect: Dialect, line: int) -> str:
    """Lines are decoded many at a time: the one that cannot be is looked for among the bytes."""
    number = 0
    try:
        "\n".encode(dialect.encoding)
        with opened(path) as stream:
            for text in stream.read().split(b"\n"):
                number += 1
                text.decode(dialect.encoding)
    except UnicodeError:
        return f"line {number}"
    return f"a line after line {line}"
