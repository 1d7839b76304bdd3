"""Places of an axis by their numbers, in float64."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Tensor, Tensors
from icm_ray.network.layers import Take
from icm_ray.network.model import Lowered

__all__ = ["TakeRules"]


class TakeRules(LayerRules[Take]):
    """Cells move; one may be taken several times."""

    def evaluate(self, layer: Take, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0].index_select(layer.axis + 1, torch.tensor(layer.indices))

    def deviate(
        self, layer: Take, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        times = math.sqrt(max(Counter(layer.indices).values()))
        return Deviation(
            self.evaluate(layer, [x.deviation.cells], weights), times * x.deviation.length
        ), times * x.length
