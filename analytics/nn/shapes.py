"""What each layer makes of its inputs' shapes: the legality of a graph, as a function."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.nn.nodes import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Node,
    Pad,
    Pair,
    Pairs,
    Permute,
    Relu,
    Reshape,
    Scale,
    Shape,
    Slice,
)
from icm_ray.errors import ProgramError

__all__ = ["ceil_padding", "output_shape", "windows"]


def windows(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> int:
    """How many windows fit: floor((size + padding - dilation (kernel - 1) - 1) / stride) + 1."""
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def ceil_padding(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> Pair:
    """The padding with which a floor makes as many windows as torch's ceil_mode does.

    ceil_mode adds a last, partial window, unless it would start in the padding after the data.
    """
    before, after = padding
    count = -(-(size + before + after - dilation * (kernel - 1) - 1) // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    missing = (count - 1) * stride + dilation * (kernel - 1) + 1 - (size + before + after)
    return before, after + max(missing, 0)


def output_shape(node: Node, inputs: Sequence[Shape]) -> Shape:  # noqa: PLR0911, PLR0912 - one case for each kind
    """The per-sample shape that `node` makes of inputs of these shapes; `ProgramError` when they do not fit."""
    arity = len(inputs) >= 1 if isinstance(node, Concat) else len(inputs) == (2 if isinstance(node, Add) else 1)
    if not arity:
        raise ProgramError(f"node {node.name!r} cannot have {len(inputs)} inputs")
    source = inputs[0]
    match node:
        case Conv(kernel=kernel, stride=stride, padding=padding, dilation=dilation):
            _need(len(source) == 3 and len(node.shape) == 3, node, source)
            _need(node.groups >= 1 and source[0] % node.groups == 0 == node.shape[0] % node.groups, node, source)
            return (node.shape[0], *_slide(node, source, kernel, stride, padding, dilation))
        case Linear():
            _need(len(source) >= 1 and len(node.shape) == len(source), node, source)
            return (*source[:-1], node.shape[-1])
        case AvgPool(kernel=kernel, stride=stride, padding=padding):
            _need(len(source) == 3 and (node.divisor is None) != (node.counts is None), node, source)
            shape = (source[0], *_slide(node, source, kernel, stride, padding, (1, 1)))
            _need(node.counts is None or tuple(len(axis) for axis in node.counts) == shape[1:], node, source)
            return shape
        case MaxPool(kernel=kernel, stride=stride, padding=padding, dilation=dilation):
            _need(len(source) == 3, node, source)
            return (source[0], *_slide(node, source, kernel, stride, padding, dilation))
        case Affine():
            _need(len(source) >= 1 and not node.scale is node.shift is None, node, source)
            return source
        case Flatten():
            return (math.prod(source),)
        case Reshape():
            _need(math.prod(node.shape) == math.prod(source), node, source)
            return node.shape
        case Permute(axes=axes):
            _need(sorted(axes) == list(range(len(source))), node, source)
            return tuple(source[axis] for axis in axes)
        case Add():
            _need(inputs[0] == inputs[1], node, inputs[1])
            return source
        case Slice(axis=axis, start=start, stop=stop, step=step):
            _need(0 <= axis < len(source) and 0 <= start < stop <= source[axis] and step >= 1, node, source)
            return (*source[:axis], len(range(start, stop, step)), *source[axis + 1 :])
        case Pad(pads=pads):
            _need(len(pads) == len(source) and all(min(pair) >= 0 for pair in pads), node, source)
            return tuple(size + sum(pair) for size, pair in zip(source, pads, strict=True))
        case Concat(axis=axis):
            _need(0 <= axis < len(source), node, source)
            for other in inputs[1:]:
                _need((*other[:axis], source[axis], *other[axis + 1 :]) == source, node, other)
            return (*source[:axis], sum(shape[axis] for shape in inputs), *source[axis + 1 :])
        case Relu() | Scale():
            return source
        case _:
            raise ProgramError(f"node {node.name!r} is of an unknown kind, {type(node).__name__}")


def _slide(node: Node, source: Shape, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair) -> Pair:
    _need(min(*kernel, *stride, *dilation) >= 1 and min(*padding[0], *padding[1]) >= 0, node, source)
    height = windows(source[1], kernel[0], stride[0], padding[0], dilation[0])
    width = windows(source[2], kernel[1], stride[1], padding[1], dilation[1])
    _need(height >= 1 and width >= 1, node, source)
    return height, width


def _need(fits: bool, node: Node, shape: Shape) -> None:
    if not fits:
        raise ProgramError(f"node {node.name!r} ({type(node).__name__}) does not fit an input of shape {shape}: {node}")
