"""Smooth functions, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch.nn import functional

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Smooth
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["SmoothRules"]


@dataclass(frozen=True, slots=True)
class _Facts:
    """steepest: the largest slope. margin: what its fit is off by at most, with 4 fractional bits or more, beside 2^-f.

    span: its largest value less its smallest one. least: where its least value lies, if not at an end of the range.
    waves: it goes from -1 to 1 and back, over and over.
    """

    function: Callable[[Tensor], Tensor]
    steepest: float
    margin: float
    span: float = math.inf
    least: float | None = None
    waves: bool = False


def _tanh_gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


_FACTS: Mapping[str, _Facts] = MappingProxyType(
    {
        "sigmoid": _Facts(torch.sigmoid, 0.25, 3e-4, 1.0),
        "tanh": _Facts(torch.tanh, 1.0, 5e-4, 2.0),
        "erf": _Facts(torch.erf, 1.13, 1e-4, 2.0),
        "gelu": _Facts(functional.gelu, 1.13, 2e-4, least=-0.7518),
        "gelu_tanh": _Facts(_tanh_gelu, 1.13, 7e-4, least=-0.7525),
        "softplus": _Facts(lambda x: torch.logaddexp(x, torch.zeros_like(x)), 1.0, 3e-4),
        "sin": _Facts(torch.sin, 1.0, 2e-4, 2.0, waves=True),
        "cos": _Facts(torch.cos, 1.0, 2e-4, 2.0, waves=True),
        "atan": _Facts(torch.atan, 1.0, 3e-4, math.pi),
    }
)


class SmoothRules(LayerRules[Smooth]):
    """Monotone but for GELU, which falls to its least value and rises behind it, and for sine and cosine."""

    def evaluate(self, layer: Smooth, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return _FACTS[layer.function].function(inputs[0])

    def interval(self, layer: Smooth, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,), facts = inputs, _FACTS[layer.function]
        points = [x.low, x.high]
        if facts.least is not None:
            points.append(torch.minimum(x.high, x.low.clamp(min=facts.least)))
        off = facts.margin + 2.0 ** (1 - scheme.f)
        if facts.waves:
            return Range(torch.full_like(x.low, -1.0 - off), torch.full_like(x.low, 1.0 + off))
        values = torch.stack([facts.function(point) for point in points])
        return Range(values.amin(0) - off, values.amax(0) + off)

    def deviate(
        self, layer: Smooth, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, facts = inputs[0].deviation, _FACTS[layer.function]
        return Deviation((facts.steepest * d.cells).clamp(max=facts.span), facts.steepest * d.length), math.inf
