"""Products with private weights: what their ranges and errors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, LayerRules, Range, Tensor, Tensors, coded
from icm_ray.network.layer import Shape
from icm_ray.network.layers import ProductLayer
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["ProductRules", "weight_and_bias"]

P = TypeVar("P", bound=ProductLayer)


class ProductRules(LayerRules[P]):
    """W x + b. A kind of product says how W is applied, how long it can make a vector, and where its channels are."""

    @abstractmethod
    def apply(self, layer: P, weight: Tensor, x: Tensor) -> Tensor:
        """W x, for weights of the shape of the layer's own."""

    @abstractmethod
    def norm(self, layer: P, weight: npt.NDArray[np.float64], source: Shape) -> float:
        """The largest factor by which W can lengthen an input of shape `source`, from above."""

    def rough_norm(self, layer: P, weight: npt.NDArray[np.float64]) -> float:
        """A factor that is above `norm`, or that, at less work: where the norm makes little difference."""
        return self.norm(layer, weight, ())

    def by_channel(self, values: Tensor, like: Tensor) -> Tensor:
        """One value for each channel, shaped to be added to the layer's result."""
        return values.reshape(1, -1, *[1] * (like.ndim - 2))

    def evaluate(self, layer: P, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        weight, bias = weight_and_bias(layer, weights)
        y = self.apply(layer, weight, inputs[0])
        return y if bias is None else y + self.by_channel(bias, y)

    def interval(self, layer: P, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        weight, bias = weight_and_bias(layer, weights)
        # weights are rounded to `least` fractional bits or more
        unit = 0.0 if layer.exact else 2.0 ** -(scheme.least + 1)
        rounding = self.apply(layer, torch.full_like(weight, unit), x.magnitude)
        part = weight.clamp(min=0)
        low, high = self.apply(layer, part, x.low) - rounding, self.apply(layer, part, x.high) + rounding
        part = weight.clamp(max=0)
        low, high = low + self.apply(layer, part, x.high), high + self.apply(layer, part, x.low)
        shift = 0.0 if bias is None else self.by_channel(bias, high)
        return Range(low + shift, high + shift)

    def deviate(
        self, layer: P, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        """d' = W d + dW x + db, with dW, db what rounding to fixed point did to weights and biases."""
        (x,) = inputs
        weight, bias = weight_and_bias(layer, weights)
        d, d_weight = x.deviation, weight - coded(weight, lowered.weights[layer.name].f)
        d_bias = None if bias is None else bias - coded(bias, lowered.result_bits[layer.name])
        source = tuple(x.range.low.shape[1:])
        norm, d_norm = self.rough_norm(layer, weight.numpy()), self.rough_norm(layer, d_weight.numpy())
        if d.length < x.length:  # else nothing can be said of the values any more, and needs no spectrum
            norm = self.norm(layer, weight.numpy(), source)
            if d_norm * x.length > norm * d.length / 16:
                d_norm = self.norm(layer, d_weight.numpy(), source)
        cells = self.apply(layer, weight.abs(), d.cells)
        rows = weight.flatten(1).norm(dim=1) if weight.ndim > 1 else weight.abs()  # |w d| <= ||w|| ||d|| for each cell
        cells = torch.minimum(cells, self.by_channel(rows * d.length, cells).expand_as(cells))
        cells = cells + self.apply(layer, d_weight.abs(), x.range.magnitude)
        total = norm * d.length + d_norm * x.length
        grown = (norm + d_norm) * x.length
        if bias is not None and d_bias is not None:
            shift = self.by_channel(d_bias.abs(), cells).expand_as(cells)
            cells, total = cells + shift, total + float(shift.norm())
            grown += float(shift.norm()) + float(self.by_channel(bias, cells).expand_as(cells).norm())
        return Deviation(cells, total * MARGIN), grown * MARGIN


def weight_and_bias(layer: ProductLayer, weights: Tensors) -> tuple[Tensor, Tensor | None]:
    """A layer's own, of all: W is ones where it has none, b None."""
    key, bias = layer.weight_key, layer.bias_key
    weight = torch.ones(layer.shape[0], dtype=torch.float64) if key is None else weights[key]
    return weight, None if bias is None else weights[bias]
