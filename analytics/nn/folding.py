"""Simplifications that move numbers into weights. Each is a pure function; the result computes the same."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from analytics.nn.weighted import WeightedGraph, named
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import Affine, AvgPool, Linear, ProductLayer, Reshape, Scale
from icm_ray.network.passes import Edit

__all__ = ["fold_affines", "fold_scales"]

_Array = npt.NDArray[np.float64]


class _Fold(Edit):
    """A graph taken apart with its weights."""

    def __init__(self, network: WeightedGraph) -> None:
        super().__init__(network.graph)
        self.weights: dict[str, _Array] = dict(network.weights)

    def folded(self) -> WeightedGraph:
        """The graph again, with the weights that it names."""
        return named(self.done(), self.weights)

    def multiply(self, target: ProductLayer, factor: float) -> None:
        """Put y -> y of factor times its input into a product that has weights."""
        key = target.weight_key
        if key is not None:  # next_product and last_product stop at an affine layer only where it has a scale
            self.weights[key] = self.weights[key] * factor


def fold_affines(network: WeightedGraph) -> WeightedGraph:
    """Fold each `Affine` into the product before it where nothing else reads that product's result.

    s (W x + b) + t = (s W) x + (s b + t). Reshapes that keep the channels apart may stand between.
    """
    edit = _Fold(network)
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
    return edit.folded()


def _foldable(edit: _Fold, node: Affine) -> ProductLayer | None:
    (name,) = node.inputs
    while name != INPUT and len(edit.readers(name)) == 1:
        before = edit.nodes[name]
        if isinstance(before, ProductLayer) and not (isinstance(before, Linear) and len(before.shape) != 1):
            fits = before.shape[:1] == node.shape[:1] and (before.weight_key is None or edit.has_own_weight(before))
            return before if fits else None
        (name,) = before.inputs if len(before.inputs) == 1 else (INPUT,)
        source = edit.shape_of(name)
        if not isinstance(before, Reshape) or not source[:1] == before.shape[:1] == node.shape[:1]:
            return None
    return None


def _fold(edit: _Fold, target: ProductLayer, scale: _Array, shift: _Array, *, has_shift: bool) -> None:
    """Put y -> scale y + shift into the weights of `target`."""
    first, second = target.weight_key, target.bias_key
    if first is None:
        first = f"{target.name}.weight"
        edit.weights[first] = scale.copy()
    else:
        weight = edit.weights[first]
        edit.weights[first] = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    if second is not None:
        edit.weights[second] = edit.weights[second] * scale + shift
    elif has_shift:
        second = f"{target.name}.bias"
        edit.weights[second] = shift.copy()
    edit.nodes[target.name] = target.with_weights(first, second)


def fold_scales(network: WeightedGraph, *, keep_powers_of_two: bool = False) -> WeightedGraph:
    """Move the divisors of average pools, and `Scale`s, into the weights of a product.

    An average pool whose value reaches one product alone, through homogeneous layers, becomes a sum (`folded`) and the
    product's weights are divided. A `Scale` goes the same way, or else into the product before it. With
    `keep_powers_of_two`, divisors that fixed point can take as a shift stay on their node.
    """
    edit = _Fold(network)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if isinstance(node, AvgPool):
            if node.folded or node.divisor is None or node.divisor == 1.0:
                continue
            target = edit.next_product(name)
            if target is not None and not (keep_powers_of_two and _is_power(node.divisor)):
                edit.multiply(target, 1.0 / node.divisor)
                edit.nodes[name] = replace(node, folded=True)
        elif isinstance(node, Scale) and not (keep_powers_of_two and _is_power(node.factor)):
            after = edit.next_product(name)
            before = None if after is not None else edit.last_product(node.inputs[0])
            if after is not None:
                edit.multiply(after, node.factor)
                edit.bypass(name)
            elif before is not None:
                edit.multiply(before, node.factor)
                if before.bias_key is not None:
                    edit.weights[before.bias_key] = edit.weights[before.bias_key] * node.factor
                edit.bypass(name)
    return edit.folded()


def _is_power(number: float) -> bool:
    return abs(math.frexp(number)[0]) == 0.5 and number > 0
