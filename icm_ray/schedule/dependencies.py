"""Which steps must not be carried out at the same time, although none takes what another makes."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.catalogue import Access, Operation, row_of

__all__ = ["keeps", "needs_by_key"]


def keeps(op: Operation) -> bool:
    """Whether the operation reads or writes what a worker keeps between runs."""
    access = row_of(op).access
    return access is Access.READS or access is Access.WRITES


def needs_by_key(ops: Sequence[Operation]) -> list[set[int]]:
    """For every operation the earlier ones that it follows: who writes a key comes after all that read or wrote it, who
    reads it after the one that wrote it. A name under which values are revealed is written, too.
    """
    needs: list[set[int]] = []
    wrote: dict[tuple[bool, str], int] = {}
    read: dict[tuple[bool, str], set[int]] = {}
    for at, op in enumerate(ops):
        row = row_of(op)
        if row.place is None:
            needs.append(set())
            continue
        place = (row.access is not Access.NAMES, row.place(op))
        if row.access is Access.READS:
            needs.append({wrote[place]} if place in wrote else set())
            read.setdefault(place, set()).add(at)
        else:
            needs.append(read.pop(place, set()) | ({wrote[place]} if place in wrote else set()))
            wrote[place] = at
    return needs
