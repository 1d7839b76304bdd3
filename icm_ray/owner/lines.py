"""Lines of a CSV file as text, without those that are to be left out, and without comments."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from icm_ray.owner.compression import opened
from icm_ray.query.dialect import Dialect

__all__ = ["byte_stream", "filtered", "records", "text_lines"]


def _encoding(dialect: Dialect) -> str:
    """A byte-order mark is no part of a name."""
    return "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else dialect.encoding


def text_lines(path: str, dialect: Dialect) -> Iterator[str]:
    """The lines of a file with their ends, as they are. Errors: `OSError`, `SourceError`, `UnicodeError`."""
    with opened(path) as stream, io.TextIOWrapper(stream, _encoding(dialect), newline="") as text:
        yield from text


def filtered(path: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """(number in the file from 1 on, line) without the first `skiprows`, those of `skip_lines`, and comments.

    Errors as for `text_lines`.
    """
    left_out, mark, quoted = frozenset(dialect.skip_lines), dialect.comment, False
    for number, line in enumerate(text_lines(path, dialect)):
        if number < dialect.skiprows or number in left_out:
            continue
        if mark and not quoted and line.startswith(mark):
            continue
        kept, quoted = _without_comment(line, mark, quoted) if mark else (line, False)
        yield number + 1, kept


def _without_comment(line: str, mark: str, quoted: bool) -> tuple[str, bool]:
    """A line to the first mark outside of quotes, with its end; and whether a quoted cell goes on in the next line."""
    start = 0
    while True:
        at = line.find(mark, start)
        upto = line[start:] if at < 0 else line[start:at]
        quoted ^= upto.count('"') % 2 == 1
        if at < 0:
            return line, quoted
        if not quoted:
            return line[:at] + "\n", False
        start = at + 1


def records(path: str, dialect: Dialect, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line in the file, cells) of every record that is not blank, the header first; slow, for few
    records and for messages. strict: quotes that do not end are errors. Errors as for `text_lines`, `csv.Error`.
    """
    seen = [0]

    def lines() -> Iterator[str]:
        for number, line in filtered(path, dialect):
            seen[0] = number
            yield line

    reader = csv.reader(lines(), delimiter=dialect.sep, strict=strict)
    yield from ((seen[0], cells) for cells in reader if cells)


class _Bytes(io.RawIOBase):
    """Lines of text as a readable stream of UTF-8."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._rest = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._lines, "").encode()
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def byte_stream(path: str, dialect: Dialect) -> tuple[Any, str, int]:
    """(what Arrow reads, its encoding, lines to skip): the file itself unless lines or comments are to be left out."""
    import pyarrow as pa

    if not dialect.comment and not dialect.skip_lines:
        return opened(path), dialect.encoding, dialect.skiprows
    raw = io.BufferedReader(_Bytes(line for _, line in filtered(path, dialect)), 1 << 20)
    return pa.PythonFile(raw, mode="r"), "utf8", 0
