"""The kinds of layers that a graph is made of. Every field is public; weights are named by key, not held.

Pairs are (height, width); paddings are ((top, bottom), (left, right)). Layers of one-dimensional data are written as
two-dimensional ones with a height of 1, between two `Reshape`s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

__all__ = [
    "INPUT",
    "KINDS",
    "Add",
    "Affine",
    "AvgPool",
    "Concat",
    "Conv",
    "Flatten",
    "Linear",
    "MaxPool",
    "Node",
    "Pad",
    "Pair",
    "Pairs",
    "Permute",
    "Relu",
    "Reshape",
    "Scale",
    "Shape",
    "Slice",
    "kind_of",
]

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Pairs: TypeAlias = tuple[Pair, Pair]

INPUT = "input"  # the name of the network's input, which no node may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every layer has: a unique name, the torch module it came from, its inputs' names, its output's shape."""

    name: str
    module: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Node):
    """Two-dimensional cross-correlation; `weight` names [out, in / groups, kh, kw], `bias` [out] or is None."""

    weight: str
    bias: str | None
    kernel: Pair
    stride: Pair
    padding: Pairs
    dilation: Pair
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(Node):
    """y = x W^T + b along the last axis; `weight` names [out, in], `bias` [out] or is None."""

    weight: str
    bias: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine(Node):
    """y[c] = scale[c] x[c] + shift[c] along axis 0; either may be None, not both. Both name [channels]."""

    scale: str | None
    shift: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Node):
    """y = factor x, with a factor that is written in the network's code and therefore public."""

    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu(Node):
    """y = max(x, 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool(Node):
    """Sums over zero-padded windows, divided by `divisor`, or by counts[0][i] counts[1][j] where windows differ.

    Exactly one of `divisor` and `counts` is set. `padding` already includes what torch's ceil_mode adds.
    `folded` says that the division stands in the next product's weights: this layer only sums.
    """

    kernel: Pair
    stride: Pair
    padding: Pairs
    divisor: float | None
    counts: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(Node):
    """Maxima over windows; padding counts as minus infinity, and includes what torch's ceil_mode adds."""

    kernel: Pair
    stride: Pair
    padding: Pairs
    dilation: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Node):
    """Row-major order, one axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Node):
    """Row-major order, the axes of `shape`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permute(Node):
    """Axis i of the output is axis axes[i] of the input."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Node):
    """The sum of two values of one shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Node):
    """x[start:stop:step] along one axis, with 0 <= start < stop <= size and step >= 1."""

    axis: int
    start: int
    stop: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Node):
    """Zeros: pads[axis] = (before, after), one pair for each axis."""

    pads: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Node):
    """The inputs, one after another along `axis`."""

    axis: int


KINDS: Mapping[str, type[Node]] = MappingProxyType(
    {
        "conv": Conv,
        "linear": Linear,
        "affine": Affine,
        "scale": Scale,
        "relu": Relu,
        "avg_pool": AvgPool,
        "max_pool": MaxPool,
        "flatten": Flatten,
        "reshape": Reshape,
        "permute": Permute,
        "add": Add,
        "slice": Slice,
        "pad": Pad,
        "concat": Concat,
    }
)


def kind_of(node: Node | type[Node]) -> str:
    """The name under which `KINDS` holds the node's type."""
    wanted = node if isinstance(node, type) else type(node)
    return next(kind for kind, taken in KINDS.items() if taken is wanted)
