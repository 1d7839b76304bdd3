"""How large the numbers of an image may be where nobody says it."""

from __future__ import annotations

from typing import Final

from icm_ray.network.graph import Graph
from icm_ray.network.layers import OneHot

__all__ = ["reach_of"]

_USUAL: Final = 3
"""Of pixels and columns that are normalised: below 2^3."""


def reach_of(graph: Graph, *, tokens: bool) -> int:
    """The k with numbers of an image up to 2^k: 3, or more where the largest table of a network has more rows than 8.

    tokens: whether an image holds whole numbers, which tables are asked about.
    """
    tables = [node.classes for node in graph.nodes if isinstance(node, OneHot)] if tokens else []
    return max([_USUAL, *((rows - 1).bit_length() for rows in tables)])
