"""Shuffling and sorting of rows, along the first axis."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType, log2_ceil

__all__ = ["MOST_ROWS", "ArgSort", "Arrange", "Shuffle", "Sort", "SortBy", "tag_bits"]

MOST_ROWS = 1 << 31


def tag_bits(count: int) -> int:
    """Bits of the tags that make `count` keys distinct."""
    return log2_ceil(count)


def _rows(x: ValueType, what: str) -> None:
    if x.kind is not Kind.SHARE:
        raise ProgramError(f"{what} takes additive shares, not {x.kind}")
    if not x.shape or not 1 <= x.shape[0] <= MOST_ROWS:
        raise ShapeError(f"{what} takes 1 to {MOST_ROWS} rows, not shape {x.shape}")


def _keys(key: ValueType, what: str, tag: int | None = None) -> None:
    _rows(key, what)
    if len(key.shape) != 1:
        raise ShapeError(f"{what} takes keys of shape (n,), not {key.shape}")
    tag = tag_bits(key.count) if tag is None else tag
    if key.width + tag + 1 > FULL_WIDTH:
        raise BoundError(
            f"{what}: keys of {key.width} bits, {tag} bits that tell {key.count} equal ones apart and a sign do not "
            f"fit {FULL_WIDTH} bits; declare keys of at most {FULL_WIDTH - 1 - tag} bits",
            width=key.width,
        )


def _sizes(at_once: int) -> None:
    if at_once < 0 or at_once % 512:
        raise ProgramError(f"comparisons are made in multiples of 512 at once, not {at_once}")


class Shuffle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The rows of x (n, ...) in a uniformly random order that no n - 1 parties know."""

    def infer(self, x: ValueType) -> ValueType:
        _rows(x, "a shuffle")
        return x


class Arrange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Each of the rows (n, ...) in its place: places (n,) are shares of 0 .. n - 1, each once, which is a promise."""

    def infer(self, places: ValueType, rows: ValueType) -> ValueType:
        _rows(places, "an arrangement")
        _rows(rows, "an arrangement")
        if len(places.shape) != 1 or places.f:
            raise ShapeError(f"places are whole numbers (n,), not {places.f} fractional bits of shape {places.shape}")
        if rows.shape[0] != places.count:
            raise ShapeError(f"{places.count} places for rows of shape {rows.shape}")
        return rows


class Sort(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The values of x (n,) from smallest to largest; the width of x and log2 n together are at most 63 bits.

    at_once: the most comparisons of one go, which bounds what a party holds and takes more rounds; 0: all that there
    are.
    """

    at_once: int = 0

    def infer(self, x: ValueType) -> ValueType:
        _keys(x, "a sort")
        _sizes(self.at_once)
        return x


class ArgSort(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The indices (n,) that sort x (n,), stable: among equal values the first comes first. at_once: as for `Sort`."""

    at_once: int = 0

    def infer(self, x: ValueType) -> ValueType:
        _keys(x, "a sort")
        _sizes(self.at_once)
        return ValueType(shape=x.shape, width=log2_ceil(x.count) + 2)


class SortBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The rows (n, ...) in the order of their keys (n,), stable: rows with equal keys keep their order. at_once: as for
    `Sort`. distinct: a promise that no two keys are equal, which saves what tells equal ones apart.
    """

    at_once: int = 0
    distinct: bool = False

    def infer(self, key: ValueType, rows: ValueType) -> ValueType:
        _keys(key, "a sort", 0 if self.distinct else None)
        _sizes(self.at_once)
        _rows(rows, "a sort")
        if rows.shape[0] != key.count:
            raise ShapeError(f"{key.count} keys for rows of shape {rows.shape}")
        return rows
