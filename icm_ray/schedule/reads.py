"""How many low bits of a result anyone looks at: what is dealt for it need have no more.

A pure rewriting of typed operations, the same at every member. An opening of w bits counts modulo 2^w, and so does all
that is linear in front of it; what is kept, revealed or taken by any other operation is looked at as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from icm_ray.ops.catalogue import Node, row_of
from icm_ray.ops.products import Epilogue
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType

__all__ = ["with_reads"]


def with_reads(nodes: Sequence[Node], types: Sequence[ValueType]) -> tuple[Node, ...]:
    """The same nodes, whose epilogues say how many bits of their results are looked at."""
    bits = [0] * len(nodes)
    for index in range(len(nodes) - 1, -1, -1):
        node, row = nodes[index], row_of(nodes[index].op)
        if row.reads is None or types[index].kind is not Kind.SHARE:
            wanted = FULL_WIDTH
        else:
            wanted = row.reads(node.op, bits[index] or FULL_WIDTH)
        for source in node.inputs:
            bits[source] = max(bits[source], wanted)
    return tuple(_with_reads(node, seen or FULL_WIDTH) for node, seen in zip(nodes, bits, strict=True))


def _with_reads(node: Node, bits: int) -> Node:
    op: Any = node.op
    epilogue = getattr(op, "epilogue", None)
    if not isinstance(epilogue, Epilogue) or epilogue.reads == bits:
        return node
    epilogue = msgspec.structs.replace(epilogue, reads=bits)
    return msgspec.structs.replace(node, op=msgspec.structs.replace(op, epilogue=epilogue))
