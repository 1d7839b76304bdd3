"""Frames one below the other: their rows as those of one frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analytics.frame import SecureFrame
from analytics.merge import MergedFrame
from icm_ray.errors import ColumnError, InputError, UnsupportedError

__all__ = ["concat"]


def concat(frames: Iterable[SecureFrame]) -> SecureFrame:
    """Concatenate the rows of frames, which stay where they are; statistics are those of all rows together.

    Kinds of columns are agreed on as owners' are: what is int in one frame and float in another is float.

    Where frames have policies, the strictest rule of all holds for all rows; and who asks may know the rows of the
    other frames, so what one of them would withhold of its own rows alone is withheld, unless there are none. The
    question is in the ledger of each. Quantiles, numbers of distinct values, private groups and merges are refused
    there.

    Args:
        frames: Frames of one session, all held by their owners or all shared, with the same columns. Computed columns
            and chosen rows have to be the same in all of them: concatenate first, then filter and assign.

    Returns:
        A frame of all rows, with the columns in the first frame's order. It ends with the frames that it is made of:
        `forget` lets it go alone.

    Raises:
        InputError: No frame, one twice, one of another session, or with other rows chosen or columns computed.
        ColumnError: A column that not all have, shared frames beside others, or text that was shared with other values.
        BoundError: Floats that were shared with other fractional bits.

    Examples:
        >>> north_alone = an.from_pandas(session, {"alice": north})
        >>> south_alone = an.from_pandas(session, {"bob": south})
        >>> an.concat([north_alone, south_alone])["age"].mean().reveal()
        48.2
    """
    given = _frames(frames)
    first = given[0]
    if len(given) == 1:
        return first
    for number, frame in enumerate(given, 1):
        _check_same(first, frame, number)
    return SecureFrame(first.meant.above([frame.meant for frame in given[1:]]), first._columns)


def _frames(given: Any) -> list[SecureFrame]:
    if isinstance(given, SecureFrame) or not isinstance(given, Iterable):
        raise InputError("concat takes a list of frames")
    frames = list(given)
    if not frames:
        raise InputError("there are no frames to concatenate")
    for frame in frames:
        if not isinstance(frame, SecureFrame):
            raise InputError(f"concat takes frames, and {type(frame).__name__} is none")
        if isinstance(frame, MergedFrame):
            raise UnsupportedError("merged rows are not concatenated: concat the frames, and merge what that gives")
    return frames


def _check_same(first: SecureFrame, other: SecureFrame, number: int) -> None:
    """Refuse columns or rows of another meaning. Errors: `ColumnError`, `InputError`."""
    for one, beside, has, lacks in ((first, other, 1, number), (other, first, number, 1)):
        for name in one.columns:
            if name not in beside.columns:
                reason = f"frame {lacks} has no column {name!r}, which frame {has} has: pick the same columns of both"
                raise ColumnError(reason, column=name)
    if other.meant.where != first.meant.where:
        raise InputError("frames are concatenated before rows are chosen: concat, then filter")
    for name, of in other._columns.items():
        if of != first._columns[name]:
            raise InputError(
                f"{name!r} is computed or named otherwise in frame {number}: concat, then assign or rename"
            )
