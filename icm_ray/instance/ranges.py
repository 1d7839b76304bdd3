"""Ranges that a person leaves a parameter open within: numbers, dates, times, durations and decimals from one to
another, both included, or a list of values; of the kind that was asked, and no other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import ColumnError, InputError
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.expressions.tree import Literal, Scalar
from icm_ray.query.grid import public_value

if TYPE_CHECKING:
    from icm_ray.instance.parameters import Parameter

__all__ = ["Range", "ranges_of", "reading"]

_DATE: Final = r"\d{4}-\d\d-\d\d"
_TIME: Final = _DATE + r"T\d\d:\d\d:\d\d(\.\d{1,9})?"
_LARGEST: Final = 1 << 64
_EXAMPLE: Final = "--params year=2020..2025, or --params 'region=north|south'"


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: of a parameter. low, high: both included; or among: what it may be. All as literals of its kind are."""

    name: str
    low: Scalar = None
    high: Scalar = None
    among: tuple[Scalar, ...] = ()

    def holds(self, literal: Literal) -> bool:
        """Whether a literal is within."""
        value = reading(literal)
        if value is None:
            return False
        if self.among:
            return any(value == reading(replace(literal, value=one)) for one in self.among)
        low, high = (reading(replace(literal, value=one)) for one in (self.low, self.high))
        return isinstance(value, Fraction) and _ordered(low, value) and _ordered(value, high)

    @property
    def in_words(self) -> str:
        """For people: "year from 2020 to 2025"."""
        if self.among:
            return f"{self.name} one of {', '.join(map(str, self.among))}"
        return f"{self.name} from {self.low} to {self.high}"


def reading(literal: Literal) -> Fraction | str | None:
    """The value of a literal, exactly; None where it is none of its kind, as literals of that are written, or has no
    order and is no text.
    """
    value, kind = literal.value, literal.kind
    if kind == "string":
        return value if isinstance(value, str) else None
    if kind == "int":
        return Fraction(value) if type(value) is int and abs(value) < _LARGEST else None
    if kind == "float":
        return Fraction(value) if type(value) is float and math.isfinite(value) else None
    form = _form(kind)
    if form and isinstance(value, str) and re.fullmatch(form, value, re.ASCII):
        with suppress(ColumnError):
            return public_value(value, kind)
    return None


def _form(kind: str) -> str:
    """How literals of a kind that has a unit are written; "" of others."""
    unit = unit_kind(kind)
    if unit is None:
        return ""
    match unit.family:
        case Family.DECIMAL:
            return r"-?\d{1,76}(\.\d{1,76})?"
        case Family.DURATION:
            return rf"-?\d{{1,19}}{unit.unit}"
        case Family.AWARE:
            return _TIME + "Z"
    return _DATE if unit.unit == "day" else _TIME


def _ordered(low: Fraction | str | None, high: Fraction | str | None) -> bool:
    return isinstance(low, Fraction) and isinstance(high, Fraction) and low <= high


def ranges_of(texts: Sequence[str], parameters: Sequence[Parameter]) -> tuple[Range, ...]:
    """What a person leaves open. texts: "year=2020..2025" for every comparison with that column, "year.1=..." for one.

    Errors: `InputError` for a name that no parameter has, one that is stated twice, values of another kind, an empty
    range, and one without the value that was asked.
    """
    found: dict[str, Range] = {}
    for text in texts:
        for one in _meant(text, parameters):
            if one.name in found:
                raise InputError(f"--params {text}: {one.name} is stated twice")
            found[one.name] = _range(text, one)
    return tuple(found[one.name] for one in parameters if one.name in found)


def _meant(text: str, parameters: Sequence[Parameter]) -> list[Parameter]:
    """Those that a text names; a column's name may have any letters."""
    called = [one for one in parameters if text.startswith(f"{one.name}=")]
    columns = [one for one in parameters if text.startswith(f"{one.of}=") and one not in called]
    if not called and not columns:
        known = ", ".join(one.name for one in parameters) or "none"
        raise InputError(f"--params {text}: it names no parameter; there are {known} (icm show), such as {_EXAMPLE}")
    if len({one.of for one in (*called, *columns)}) > 1:
        raise InputError(f"--params {text}: that is a parameter's name, and another's column")
    return called or columns


def _range(text: str, of: Parameter) -> Range:
    name = of.name if text.startswith(f"{of.name}=") else of.of
    values = text[len(name) + 1 :]
    kind = of.literal.kind
    if kind != "string" and ".." in values:
        low, high = (_value(text, one, kind) for one in values.split("..", 1))
        found = Range(of.name, low, high)
        if not _ordered(*(reading(Literal(one, kind)) for one in (low, high))):
            raise InputError(f"--params {text}: nothing is from {low} to {high}")
    else:
        found = Range(of.name, among=tuple(dict.fromkeys(_value(text, one, kind) for one in values.split("|"))))
    if not found.holds(of.literal):
        raise InputError(
            f"--params {text}: {of.literal.value} was asked, which is not within: deny it, and say what is"
        )
    return found


def _value(text: str, value: str, kind: str) -> Scalar:
    """One that a person wrote, as literals of a kind are. Errors: `InputError`."""
    found: Scalar = value
    with suppress(ValueError):
        if kind == "int":
            found = int(value)
        elif kind == "float":
            found = float(value)
    if re.fullmatch(_DATE, value, re.ASCII) and kind.startswith("timestamp"):
        found = f"{value}T00:00:00"
    unit = unit_kind(kind)
    if unit is not None and unit.family is Family.AWARE and isinstance(found, str) and not found.endswith("Z"):
        found += "Z"
    if reading(Literal(found, kind)) is None:
        raise InputError(f"--params {text}: {value!r} is no value of kind {kind}, which was asked: such as {_EXAMPLE}")
    return found
