"""Functions on a domain, in float64: what quotients, powers, exponentials and logarithms have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import torch

from analytics.nn.layers.rules import Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import OnDomain
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Domain

__all__ = ["NEAR", "OnDomainRules", "sizes", "smallest"]

D = TypeVar("D", bound=OnDomain)

NEAR: Final = 1 + 1e-4
"""Over what fits are off by, relatively."""


class OnDomainRules(LayerRules[D]):
    """A function whose last input is raised to the domain's lower end where rounding made it smaller."""

    def simulate(self, layer: D, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        domain = lowered.domains[layer.name]
        *others, x = inputs
        if not layer.grows and (domain.clamped or layer.at_zero):
            least = 2.0**domain.low
            x = -(-x).clamp(min=least) if domain.sign < 0 else x.clamp(min=least)
        return self.evaluate(layer, [*others, x], weights)


def sizes(x: Range, domain: Domain) -> tuple[Tensor, Tensor]:
    """The least and the largest |x| of a range within a domain."""
    least, most = 2.0**domain.low, 2.0**domain.high
    low, high = (x.low, x.high) if domain.sign > 0 else (-x.high, -x.low)
    if domain.sign == 0:
        low, high = torch.full_like(low, least), x.magnitude
    return low.clamp(least, most), high.clamp(least, most)


def smallest(x: Incoming, domain: Domain) -> Tensor:
    """The least |x| in real arithmetic and on shares: what is checked are rounded values."""
    low, _ = sizes(x.range, domain)
    return (low - x.deviation.cells).clamp(min=0.0) if domain.checked else low
