"""Simplifications of a graph. Each is a pure function; the result computes the same in exact arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from analytics.nn.graph import Graph
from analytics.nn.nodes import (
    INPUT,
    Affine,
    AvgPool,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Node,
    Pad,
    Permute,
    Relu,
    Reshape,
    Scale,
    Slice,
)

__all__ = ["drop_unused", "fold_affines", "fold_scales", "merge_reshapes", "relu_after_max_pool"]

_LINEAR = (Flatten, Reshape, Permute, Slice, Pad, Scale, AvgPool)  # f(s x) = s f(x), without weights of their own


class _Edit:
    """A graph taken apart: nodes by name in order, weights by key, readers by name."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
        self.weights: dict[str, npt.NDArray[np.float64]] = dict(graph.weights)
        self.output = graph.output

    def readers(self, name: str) -> list[str]:
        """The nodes that read `name`, once for each reading; '' for the result."""
        found = [node.name for node in self.nodes.values() for source in node.inputs if source == name]
        return [*found, ""] if name == self.output else found

    def bypass(self, name: str) -> None:
        """Take a node of one input out; its readers read its input."""
        (source,) = self.nodes.pop(name).inputs
        for node in list(self.nodes.values()):
            if name in node.inputs:
                inputs = tuple(source if item == name else item for item in node.inputs)
                self.nodes[node.name] = replace(node, inputs=inputs)
        if self.output == name:
            self.output = source

    def next_product(self, name: str) -> Conv | Linear | Affine | None:
        """The product that is the only reader of `name`, linear layers without weights in between."""
        while True:
            readers = self.readers(name)
            if len(readers) != 1 or not readers[0]:
                return None
            node = self.nodes[readers[0]]
            if isinstance(node, Conv | Linear) or (isinstance(node, Affine) and node.scale is not None):
                return node
            if not isinstance(node, _LINEAR):
                return None
            name = node.name

    def last_product(self, name: str) -> Conv | Linear | Affine | None:
        """The product that `name` comes from, read by nothing else, linear layers without weights in between."""
        while name != INPUT and len(self.readers(name)) == 1:
            node = self.nodes[name]
            if isinstance(node, Conv | Linear) or (isinstance(node, Affine) and node.scale is not None):
                return node
            if not isinstance(node, _LINEAR):
                return None
            (name,) = node.inputs
        return None

    def done(self) -> Graph:
        nodes = tuple(self.nodes.values())
        public = Graph(nodes, self.graph.input_shape, self.output)
        kept = public.weight_shapes()
        return replace(public, weights={key: array for key, array in self.weights.items() if key in kept})


def drop_unused(graph: Graph) -> Graph:
    """Without the nodes that the output does not need."""
    needed = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    edit = _Edit(graph)
    edit.nodes = {name: node for name, node in edit.nodes.items() if name in needed}
    return edit.done()


def merge_reshapes(graph: Graph) -> Graph:
    """A reshape of a reshape becomes one reshape, or none where the shape is back to what it was."""
    edit = _Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if not isinstance(node, Flatten | Reshape):
            continue
        source = node.inputs[0]
        while source != INPUT and isinstance(edit.nodes[source], Flatten | Reshape):
            (source,) = edit.nodes[source].inputs
        edit.nodes[name] = replace(node, inputs=(source,))
        if node.shape == (graph.input_shape if source == INPUT else edit.nodes[source].shape):
            edit.bypass(name)
    return drop_unused(edit.done())


def fold_affines(graph: Graph) -> Graph:
    """Fold each `Affine` into the product before it where nothing else reads that product's result.

    s (W x + b) + t = (s W) x + (s b + t). Reshapes that keep the channels apart may stand between.
    """
    edit = _Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if not isinstance(node, Affine):
            continue
        target = _foldable(edit, node)
        if target is None:
            continue
        channels = target.shape[0]
        scale = np.ones(channels) if node.scale is None else edit.weights[node.scale]
        shift = np.zeros(channels) if node.shift is None else edit.weights[node.shift]
        _fold(edit, target, scale, shift, has_shift=node.shift is not None)
        edit.bypass(name)
    return edit.done()


def _foldable(edit: _Edit, node: Affine) -> Conv | Linear | Affine | None:
    (name,) = node.inputs
    while name != INPUT and edit.readers(name) and len(edit.readers(name)) == 1:
        before = edit.nodes[name]
        if isinstance(before, Conv | Affine) or (isinstance(before, Linear) and len(before.shape) == 1):
            return before if before.shape[:1] == node.shape[:1] else None
        (name,) = before.inputs if len(before.inputs) == 1 else (INPUT,)
        source = edit.graph.shape_of(name)
        if not isinstance(before, Flatten | Reshape) or not source[:1] == before.shape[:1] == node.shape[:1]:
            return None
    return None


def _fold(
    edit: _Edit,
    target: Conv | Linear | Affine,
    scale: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    *,
    has_shift: bool,
) -> None:
    """Put y -> scale y + shift into the weights of `target`."""
    first, second = (target.scale, target.shift) if isinstance(target, Affine) else (target.weight, target.bias)
    if first is None:
        first = f"{target.name}.scale"
        edit.weights[first] = scale.copy()
    else:
        weight = edit.weights[first]
        edit.weights[first] = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    if second is not None:
        edit.weights[second] = edit.weights[second] * scale + shift
    elif has_shift:
        second = f"{target.name}.{'shift' if isinstance(target, Affine) else 'bias'}"
        edit.weights[second] = shift.copy()
    if isinstance(target, Affine):
        edit.nodes[target.name] = replace(target, scale=first, shift=second)
    else:
        edit.nodes[target.name] = replace(target, weight=first, bias=second)


def fold_scales(graph: Graph, *, keep_powers_of_two: bool = False) -> Graph:
    """Move the divisors of average pools, and `Scale`s, into the weights of a product.

    An average pool whose value reaches one product alone, through linear layers, becomes a sum (`folded`) and the
    product's weights are divided. A `Scale` goes the same way, or else into the product before it. With
    `keep_powers_of_two`, divisors that fixed point can take as a shift stay on their node.
    """
    edit = _Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if isinstance(node, AvgPool):
            if node.folded or node.divisor is None or node.divisor == 1.0:
                continue
            target = edit.next_product(name)
            if target is not None and not (keep_powers_of_two and _is_power(node.divisor)):
                _multiply(edit, target, 1.0 / node.divisor)
                edit.nodes[name] = replace(node, folded=True)
        elif isinstance(node, Scale) and not (keep_powers_of_two and _is_power(node.factor)):
            after = edit.next_product(name)
            before = None if after is not None else edit.last_product(node.inputs[0])
            if after is not None:
                _multiply(edit, after, node.factor)
                edit.bypass(name)
            elif before is not None:
                _multiply(edit, before, node.factor)
                bias = before.shift if isinstance(before, Affine) else before.bias
                if bias is not None:
                    edit.weights[bias] = edit.weights[bias] * node.factor
                edit.bypass(name)
    return edit.done()


def _multiply(edit: _Edit, target: Conv | Linear | Affine, factor: float) -> None:
    key = target.scale if isinstance(target, Affine) else target.weight
    if key is not None:  # next_product and last_product stop at an affine layer only where it has a scale
        edit.weights[key] = edit.weights[key] * factor


def _is_power(number: float) -> bool:
    return abs(math.frexp(number)[0]) == 0.5 and number > 0


def relu_after_max_pool(graph: Graph) -> Graph:
    """max(relu(x)) = relu(max(x)): a ReLU that only a max-pool reads moves behind it, where there are fewer values."""
    edit = _Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if not isinstance(node, MaxPool) or node.inputs[0] == INPUT:
            continue
        relu = edit.nodes[node.inputs[0]]
        if not isinstance(relu, Relu) or len(edit.readers(relu.name)) != 1:
            continue
        # The two trade places in the order and keep their names; whoever read the pool reads the ReLU.
        swapped: dict[str, Node] = {}
        for other in edit.nodes.values():
            if other is relu:
                continue
            if other is node:
                swapped[name] = replace(node, inputs=relu.inputs)
                swapped[relu.name] = replace(relu, inputs=(name,), shape=node.shape)
                continue
            inputs = tuple(relu.name if item == name else item for item in other.inputs)
            swapped[other.name] = replace(other, inputs=inputs)
        edit.nodes = swapped
        if edit.output == name:
            edit.output = relu.name
    return edit.done()
