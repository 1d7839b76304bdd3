"""Translations of products: with constant matrices, of two activations, attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from analytics.nn.torch_ops.activations import softmax
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import opposite
from analytics.nn.torch_ops.constants import affine, held, of_sample, scaled, spread
from analytics.nn.torch_ops.minus_infinity import is_shut
from analytics.nn.torch_ops.pointwise import summed, times
from icm_ray.network.layers import Add, Conv, Linear, MatMul

__all__ = ["MATRICES", "by_constant", "paired"]

aten = torch.ops.aten


def _linear(build: GraphBuilder, call: Call) -> Wire:
    return _product(build, call.wire("input"), call.constant("weight"), call.optional("bias"))


def _product(build: GraphBuilder, source: Wire, weight: torch.Tensor, bias: torch.Tensor | None) -> Wire:
    if not source.shape or weight.ndim != 2:
        raise Refused("it takes the batch dimension for features; give example inputs of shape (batch, features)")
    shape = (*source.shape[:-1], weight.shape[0])
    return build.emit(Linear, source, shape=shape, weight=weight, bias=bias)


def _matmul(build: GraphBuilder, call: Call) -> Wire:
    left, right = call["self"], call["other"] if "other" in call.arguments else call["mat2"]
    if isinstance(left, Wire) and isinstance(right, Wire):
        return paired(build, left, right)
    if isinstance(left, Wire):
        return by_constant(build, left, right)
    wire = right  # (w x)^T = x^T w^T
    if len(wire.shape) < 2:
        raise Refused("a constant times the input mixes the batch; write it as the input times a constant")
    if left.ndim == 1:
        return by_constant(build, _turned(build, wire), left)
    return _turned(build, by_constant(build, _turned(build, wire), left.transpose(-1, -2)))


def _turned(build: GraphBuilder, wire: Wire) -> Wire:
    axes = list(range(len(wire.shape)))
    axes[-2:] = axes[-1], axes[-2]
    return build.permute(wire, tuple(axes))


def by_constant(build: GraphBuilder, wire: Wire, constant: torch.Tensor) -> Wire:
    """A wire (..., n, k) times (k, m), or times a matrix of its own for each place of the axes in front."""
    if constant.ndim == 1:
        made = _product(build, wire, constant.reshape(1, -1), None)
        return build.reshape(made, wire.shape[:-1])
    if constant.ndim == 2:
        return _product(build, wire, constant.t(), None)
    rank = len(wire.shape)
    whole = of_sample(constant, rank)
    front = np.broadcast_shapes(whole.shape[:-2], wire.shape[:-2])
    (count, inner), columns = wire.shape[-2:], whole.shape[-1]
    groups = math.prod(front)
    wide = build.reshape(_turned(build, build.expand(wire, (*front, count, inner))), (groups * inner, 1, count))
    weight = whole.expand(*front, inner, columns).transpose(-1, -2).reshape(groups * columns, inner, 1, 1)
    none = ((0, 0), (0, 0))
    made = build.emit(
        Conv,
        wide,
        shape=(groups * columns, 1, count),
        weight=weight,
        bias=None,
        kernel=(1, 1),
        stride=(1, 1),
        padding=none,
        dilation=(1, 1),
        groups=groups,
    )
    return _turned(build, build.reshape(made, (*front, columns, count)))


def paired(build: GraphBuilder, left: Wire, right: Wire) -> Wire:
    """Pairs of matrices of two activations, the axes in front repeated where they are 1."""
    if len(left.shape) != len(right.shape) or len(left.shape) < 2:
        raise Refused(
            f"it multiplies {left.shape} and {right.shape} of a sample; both must have as many axes, two or more"
        )
    front = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    a, b = (build.expand(wire, (*front, *wire.shape[-2:])) for wire in (left, right))
    return build.emit(MatMul, a, b, shape=(*a.shape[:-1], b.shape[-1]))


def _addmm(build: GraphBuilder, call: Call) -> Wire:
    bias = call.constant("self") * call["beta"]
    weight = call.constant("mat2").t() * call["alpha"]
    if bias.ndim > 1 and any(size != 1 for size in bias.shape[:-1]):
        raise Refused("its constant term differs between the rows of the batch")
    return _product(build, call.wire("mat1"), weight, bias.reshape(-1).expand(weight.shape[0]))


def _plus_products(build: GraphBuilder, call: Call) -> Wire:
    """beta x + alpha a b, of pairs of matrices."""
    pairs = Call({"self": call["batch1"], "mat2": call["batch2"]}, call.full_shape)
    made = scaled(build, _matmul(build, pairs), float(call["alpha"]))
    return summed(build, call, made, times(build, call["self"], float(call["beta"])))


def _attention(build: GraphBuilder, call: Call) -> Wire:
    """softmax(q k^T scale + mask) v; places that a constant mask closes take no part."""
    if call["dropout_p"]:
        raise Refused("dropout is on although the network is in eval mode; pass training=self.training")
    if call.get("enable_gqa"):
        raise Refused("its heads share keys; repeat these, one for each head")
    query, key, value = _of_values(build, call, ("query", "key", "value"))
    factor = call["scale"] if call["scale"] is not None else 1 / math.sqrt(query.shape[-1])
    scores = paired(build, scaled(build, query, factor), _turned(build, key))
    if isinstance(call["attn_mask"], Wire):
        scores, shut = _private_mask(build, call["attn_mask"], scores)
        closed = _mask(replace(call, arguments={**call.arguments, "attn_mask": None}), scores)[1]
        return paired(build, softmax(build, scores, closed=closed, shut=shut), value)
    shift, closed = _mask(call, scores)
    if shift is not None:
        scores = affine(build, scores, shift=shift)
    return paired(build, softmax(build, scores, closed=closed), value)


def _of_values(build: GraphBuilder, call: Call, names: Sequence[str]) -> list[Wire]:
    """Arguments (..., n, d) as wires: what is learned, as queries of a few tokens are, is held by some."""
    first = next((call[name] for name in names if isinstance(call[name], Wire)), None)
    if first is None:
        return [call.wire(name) for name in names]  # refused
    corner = first
    for axis in range(len(first.shape)):
        corner = build.cut(corner, axis, 0, 1)
    return [
        given if isinstance(given, Wire) else _held_by(build, corner, of_sample(given, len(first.shape)))
        for given in (call[name] for name in names)
    ]


def _held_by(build: GraphBuilder, corner: Wire, constant: torch.Tensor) -> Wire:
    shape = tuple(constant.shape)
    return held(build, build.expand(corner, shape), constant, shape)


def _private_mask(build: GraphBuilder, mask: Wire, scores: Wire) -> tuple[Wire, Wire | None]:
    """The scores with what is added to them, and the places that are shut: 1 there."""
    if mask.truth:  # where it is true a place takes part
        return scores, spread(build, opposite(build, mask), scores.shape)
    added = spread(build, replace(mask, shut=None), scores.shape)
    shut = None if mask.shut is None else spread(build, mask.shut, scores.shape)
    return build.emit(Add, scores, added, shape=scores.shape), shut


def _mask(call: Call, scores: Wire) -> tuple[torch.Tensor | None, tuple[int, ...]]:
    """What is added to the scores, and the places that are closed."""
    rows, columns = scores.shape[-2:]
    if call["is_causal"]:
        above = torch.ones(rows, columns, dtype=torch.bool).triu(1)
        return None, tuple(above.reshape(-1).nonzero().reshape(-1).tolist())
    if call["attn_mask"] is None:
        return None, ()
    mask = call.constant("attn_mask")
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, -math.inf)
    whole = of_sample(mask, len(scores.shape))
    shut = is_shut(whole)
    if not bool(shut.any()):
        return whole, ()
    flat = shut.reshape(-1, *shut.shape[-2:])
    if not torch.equal(flat, flat[:1].expand_as(flat)):
        raise Refused("its mask closes other places for each head; only one pattern for all is supported")
    pattern = flat[0].expand(rows, columns).reshape(-1)
    rest = whole.masked_fill(shut, 0.0)
    return rest if bool(rest.any()) else None, tuple(pattern.nonzero().reshape(-1).tolist())


MATRICES: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.linear.default: _linear,
        aten.matmul.default: _matmul,
        aten.mm.default: _matmul,
        aten.bmm.default: _matmul,
        aten.addmm.default: _addmm,
        aten.baddbmm.default: _plus_products,
        aten.scaled_dot_product_attention.default: _attention,
    }
)
