"""Which steps must not be carried out at the same time, although none takes what another makes."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops import linear, products
from icm_ray.ops.catalogue import Operation

__all__ = ["keeps", "needs_by_key"]

_READS = (linear.Load, products.OwnedProduct)
_WRITES = (linear.Store, products.LoadWeight)


def keeps(op: Operation) -> bool:
    """Whether the operation reads or writes what a worker keeps between runs."""
    return isinstance(op, _READS + _WRITES)


def needs_by_key(ops: Sequence[Operation]) -> list[set[int]]:
    """For every operation the earlier ones that it follows: who writes a key comes after all that read or wrote it, who
    reads it after the one that wrote it. A name under which values are revealed is written, too.
    """
    needs: list[set[int]] = []
    wrote: dict[tuple[bool, str], int] = {}
    read: dict[tuple[bool, str], set[int]] = {}
    for place, op in enumerate(ops):
        if isinstance(op, _READS):
            key = (True, op.key)
            needs.append({wrote[key]} if key in wrote else set())
            read.setdefault(key, set()).add(place)
        elif isinstance(op, (*_WRITES, linear.Reveal)):
            key = (False, op.name) if isinstance(op, linear.Reveal) else (True, op.key)
            needs.append(read.pop(key, set()) | ({wrote[key]} if key in wrote else set()))
            wrote[key] = place
        else:
            needs.append(set())
    return needs
