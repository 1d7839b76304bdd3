"""Translations of look-ups in tables of embeddings by private whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from icm_ray.network.layers import Linear, OneHot

__all__ = ["EMBEDDINGS"]

aten = torch.ops.aten


def _embedding(build: GraphBuilder, call: Call) -> Wire:
    """One-hot rows times the table."""
    table, tokens = call.constant("weight"), call["indices"]
    if not isinstance(tokens, Wire):
        raise Refused("its table depends on the private input")
    if not tokens.whole:
        raise Refused("it looks up what was computed; only the network's input can be looked up")
    classes, features = table.shape
    if classes < 2:
        raise Refused("its table has one row")
    row = build.emit(OneHot, tokens, shape=(*tokens.shape, classes), classes=classes)
    return build.emit(Linear, row, shape=(*tokens.shape, features), weight=table.t(), bias=None)


EMBEDDINGS: Mapping[Any, Translation] = MappingProxyType({aten.embedding.default: _embedding})
