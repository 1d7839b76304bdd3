"""Translations of look-ups in tables of embeddings by private whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.private_places import looked_up

__all__ = ["EMBEDDINGS"]

aten = torch.ops.aten


def _embedding(build: GraphBuilder, call: Call) -> Wire:
    table, tokens = call.constant("weight"), call["indices"]
    if not isinstance(tokens, Wire):
        raise Refused("its table depends on the private input")
    if not tokens.whole:
        raise Refused("it looks up what was computed; only the network's input can be looked up")
    return looked_up(build, tokens, table)


EMBEDDINGS: Mapping[Any, Translation] = MappingProxyType({aten.embedding.default: _embedding})
