"""Where a CSV file is not what it should be: found by going through its lines, once reading it has failed."""

from __future__ import annotations

import csv

from icm_ray.errors import SourceError
from icm_ray.owner.compression import opened
from icm_ray.owner.lines import records
from icm_ray.query.dialect import Dialect

__all__ = ["unreadable"]


def unreadable(path: str, dialect: Dialect) -> SourceError:
    """The error that says which line is wrong, and what was expected there; never what it holds."""
    what = _first_fault(path, dialect)
    return SourceError(f"{path}: cannot be read as CSV: {what}", path=path)


def _first_fault(path: str, dialect: Dialect) -> str:
    line, wanted = 0, 0
    try:
        for line, cells in records(path, dialect):
            wanted = wanted or len(cells)
            if len(cells) != wanted:
                few = "fewer" if len(cells) < wanted else "more"
                return (
                    f"line {line} has {len(cells)} cells, {few} than the {wanted} of the header (sep={dialect.sep!r})"
                )
    except UnicodeError:
        return f"{_undecodable(path, dialect, line)} is no {dialect.encoding}; give its encoding=, as in 'latin-1'"
    except csv.Error:
        return f"line {line + 1}: a quoted cell that does not end"
    except (OSError, EOFError):
        return "its bytes cannot be read, or unpacked"
    return "lines of as many cells as the header, and quotes that end, are needed"


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
