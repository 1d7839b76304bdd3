"""The settings of pandas.read_csv that say how a file is written, checked here and sent to the owners as data."""

from __future__ import annotations

import codecs
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from icm_ray.errors import InputError
from icm_ray.query.dialect import Dialect
from icm_ray.query.kinds import one_form

__all__ = ["dialect_of", "refuse_options"]

_KINDS = {
    **dict.fromkeys(("str", "string", "object", "category", "O", "U"), "string"),
    **dict.fromkeys(("int", "integer"), "int"),
    **dict.fromkeys(("float", "double"), "float"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
}
_NUMPY_KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool", "U": "string", "O": "string"}


def dialect_of(
    *,
    sep: str,
    decimal: str,
    thousands: str | None,
    encoding: str,
    na_values: Any,
    dtype: Any,
    true_values: Iterable[str] | None,
    false_values: Iterable[str] | None,
    comment: str | None,
    skiprows: Any,
) -> Dialect:
    """Settings as pandas takes them. Errors: `InputError` naming the one that cannot be, or is not offered."""
    marks: dict[str, Any] = {"sep": sep, "decimal": decimal}
    marks |= {name: mark for name, mark in (("thousands", thousands), ("comment", comment)) if mark is not None}
    for name, mark in marks.items():
        if not isinstance(mark, str) or len(mark) != 1 or not mark.isascii():
            raise InputError(f"{name} must be one ASCII character, not {mark!r}")
    if len(set(marks.values())) < len(marks):
        raise InputError(f"two of {', '.join(marks)} are the same character")
    words, numbers = _nulls(na_values)
    by_column, of_all = _dtypes(dtype)
    before, lines = _skipped(skiprows)
    return Dialect(
        sep=sep,
        decimal=decimal,
        thousands=thousands or "",
        encoding=_encoding(encoding),
        na_values=words,
        na_numbers=numbers,
        dtype=by_column,
        dtype_of_all=of_all,
        true_values=_words("true_values", true_values),
        false_values=_words("false_values", false_values),
        comment=comment or "",
        skiprows=before,
        skip_lines=lines,
    )


def _encoding(name: Any) -> str:
    try:
        return codecs.lookup(name).name
    except (LookupError, TypeError):
        raise InputError(f"encoding={name!r} is unknown; as in 'utf-8', 'latin-1', 'cp1252', 'utf-16'") from None


def _words(name: str, given: Iterable[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    words = () if isinstance(given, str) else tuple(given)
    if not words or not all(isinstance(word, str) for word in words):
        raise InputError(f"{name} must be a list of words, not {given!r}")
    return words


def _nulls(given: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """(words, numbers) for missing values; a word that is a number stands for it however written."""
    if given is None:
        return (), ()
    if isinstance(given, Mapping):
        raise InputError("na_values hold for all columns here; give one list of them")
    listed = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    words: list[str] = []
    numbers: list[float] = []
    for item in listed:
        if not isinstance(item, str | int | float | np.number) or isinstance(item, bool):
            raise InputError(f"na_values must be words and numbers, not {item!r}")
        words.append(str(item))
        try:
            number = float(item)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number):
            numbers.append(number)
            words += [repr(number), f"{number:.0f}"] if number.is_integer() else [repr(number)]
    return tuple(dict.fromkeys(words)), tuple(dict.fromkeys(numbers))


def _dtypes(given: Any) -> tuple[dict[str, str], str]:
    """(kinds by column, kind of all others)."""
    if given is None:
        return {}, ""
    if isinstance(given, Mapping):
        return {one_form(str(name)): _kind(name, held) for name, held in given.items()}, ""
    return {}, _kind(None, given)


def _kind(column: Hashable, held: Any) -> str:
    known = {str: "string", int: "int", float: "float", bool: "bool", object: "string"}
    name = known.get(held) if isinstance(held, type) else _KINDS.get(str(held))
    if name is None and not (isinstance(held, type) and not issubclass(held, np.generic)):
        try:
            name = _NUMPY_KINDS.get(np.dtype(str(held).lower() if isinstance(held, str) else held).kind)
        except TypeError:
            name = _NUMPY_KINDS.get(getattr(held, "kind", ""))
    if name is None:
        of = "" if column is None else f" of {column!r}"
        raise InputError(f"dtype{of} must be int, float, bool or str, not {held!r}")
    return name


def _skipped(given: Any) -> tuple[int, tuple[int, ...]]:
    """(lines before the header, numbers of lines)."""
    if given is None:
        return 0, ()
    listed = list(given) if isinstance(given, Sequence | set | frozenset | range | np.ndarray) else [given]
    if isinstance(given, str) or not all(
        isinstance(item, int | np.integer) and not isinstance(item, bool) and item >= 0 for item in listed
    ):
        raise InputError(f"skiprows must be a number of lines, or a list of their numbers, not {given!r}")
    numbers = tuple(sorted({int(item) for item in listed}))
    return (0, numbers) if not isinstance(given, int | np.integer) else (numbers[0], ())


_TIMES: Final = "times are read from text: an.to_datetime(frame['day'])"
_NAMES: Final = "columns have the names in the files' first lines: frame.rename(...)"
_ROWS: Final = "all rows are opened: choose some, frame[condition]"
_AS_IT_IS: Final = "leave it out: files are read as they are"
_INSTEAD: Final = {
    "usecols": "columns=[...] are those that are read",
    **dict.fromkeys(("parse_dates", "date_format", "dayfirst"), _TIMES),
    **dict.fromkeys(("delimiter", "delim_whitespace"), "sep= is the character between cells"),
    **dict.fromkeys(("index_col", "names", "header"), _NAMES),
    **dict.fromkeys(("nrows", "skipfooter", "chunksize", "iterator"), _ROWS),
    **dict.fromkeys(("keep_default_na", "na_filter"), "na_values= has words beside pandas' own"),
    **dict.fromkeys(("engine", "low_memory", "memory_map", "compression"), _AS_IT_IS),
}
"""For what pandas.read_csv has beside, what to write."""


def refuse_options(given: Mapping[str, Any]) -> None:
    """Refuse options that are not offered. Errors: `InputError` for the first of them, with what to write instead."""
    for name in given:
        instead = _INSTEAD.get(name, "its docstring lists what it takes")
        raise InputError(f"read_csv takes no {name}=; {instead}")
