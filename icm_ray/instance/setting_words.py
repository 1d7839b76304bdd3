"""What is wrong with a table of settings, in the words of whoever wrote it: msgspec speaks of its own types."""

from __future__ import annotations

import difflib
import re
from typing import Any, Final, get_args

import msgspec

__all__ = ["in_words"]

_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_KINDS: Final = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "a table", "datetime": "a time", "date": "a day", "null": "nothing",
}  # fmt: skip
_EXPECTED = re.compile(r"Expected `(?P<kind>\w+)`(?P<rest>.*)$")


def in_words(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> str:
    """What the error says of a table that should have been of this kind; as it is, where no words are known for it."""
    said = str(error)
    found = _PLACE.search(said)
    place = "" if found is None else found["place"]
    said = said if found is None else said[: found.start()]
    if match := re.match(r"Object contains unknown field `(.*)`$", said):
        return _unknown(match[1], place, kind)
    if match := re.match(r"Object missing required field `(.*)`$", said):
        return f"{'.'.join(filter(None, (place, match[1])))} is missing"
    if match := re.match(r"Invalid enum value (.*)$", said):
        return f"{place} is {match[1]}, and has to be one of {', '.join(map(repr, get_args(_held(place, kind))))}"
    if match := _EXPECTED.match(said):
        return f"{place or 'what is there'} has to be {_kind(match['kind'])}{_rest(match['rest'])}"
    return f"{place}: {said}" if place else said


def _rest(said: str) -> str:
    """What follows the kind: what was there in its place, a length, or a range."""
    if match := re.match(r", got `(\w+)`$", said):
        return f", not {_kind(match[1])}"
    if match := re.match(r" of length (.+), got (\d+)$", said):
        return f" of {match[1]}, not of {match[2]}"
    return said


def _kind(name: str) -> str:
    return _KINDS.get(name, name)


def _held(place: str, kind: Any) -> Any:
    """The type of the setting at a place such as limits.results."""
    for name in filter(None, place.split(".")):
        kind = {field.name: field.type for field in msgspec.structs.fields(kind)}[name]
    return kind


def _unknown(name: str, place: str, kind: Any) -> str:
    known = [field.name for field in msgspec.structs.fields(_held(place, kind))]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"there is no setting {name!r}{f' in [{place}]' if place else ''}; {hint}"
