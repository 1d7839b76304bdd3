"""ReLU, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn import functional

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Tensor, Tensors
from icm_ray.network.layers import Relu
from icm_ray.network.model import Lowered

__all__ = ["ReluRules"]


class ReluRules(LayerRules[Relu]):
    """It lengthens neither a difference nor a value."""

    def evaluate(self, layer: Relu, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return functional.relu(inputs[0])

    def deviate(
        self, layer: Relu, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        return x.deviation, x.length
