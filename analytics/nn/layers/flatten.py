"""Flattening, in float64."""

from __future__ import annotations

from analytics.nn.layers.reshape import ReshapeRules

__all__ = ["FlattenRules"]


class FlattenRules(ReshapeRules):
    """A reshape to one axis."""
