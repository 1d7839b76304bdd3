"""Translations of normalisation by statistics of each sample, and of batch normalisation by those of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Affine, Normalise

__all__ = ["NORMS"]

aten = torch.ops.aten


def _normalised(build: GraphBuilder, wire: Wire, rows: Shape, epsilon: float, *, centred: bool = True) -> Wire:
    """Each row of the wire in the shape `rows`, by the statistics of its last axis."""
    if rows[-1] < 3:
        raise Refused(f"it normalises over {rows[-1]} values; three or more are supported")
    wide = build.reshape(wire, rows)
    made = build.emit(Normalise, wide, shape=rows, epsilon=float(epsilon), centred=centred)
    return build.reshape(made, wire.shape)


def _weighted(
    build: GraphBuilder, wire: Wire, weight: torch.Tensor | None, bias: torch.Tensor | None, shape: Shape
) -> Wire:
    """Times weight, plus bias, in a shape that the wire's repeats."""
    if weight is None and bias is None:
        return wire
    scale, shift = (None if tensor is None else tensor.double().reshape(shape) for tensor in (weight, bias))
    return affine(build, wire, scale=scale, shift=shift)


def _layer_norm(build: GraphBuilder, call: Call) -> Wire:
    return _over_last(build, call, call["eps"], call.get("bias"))


def _rms_norm(build: GraphBuilder, call: Call) -> Wire:
    epsilon = call["eps"] if call["eps"] is not None else torch.finfo(torch.float32).eps
    return _over_last(build, call, epsilon, None, centred=False)


def _over_last(build: GraphBuilder, call: Call, epsilon: float, bias: Any, *, centred: bool = True) -> Wire:
    wire, sizes = call.wire("input"), tuple(call["normalized_shape"])
    if len(sizes) > len(wire.shape):
        raise Refused("it normalises over the batch dimension; rows of a batch may not be mixed")
    kept = len(wire.shape) - len(sizes)
    made = _normalised(build, wire, (*wire.shape[:kept], math.prod(sizes)), epsilon, centred=centred)
    return _weighted(build, made, call.optional("weight"), bias, ((1,) * kept + sizes))


def _layer_norm_triple(build: GraphBuilder, call: Call) -> tuple[Wire, None, None]:
    return _layer_norm(build, call), None, None


def _by_groups(build: GraphBuilder, wire: Wire, groups: int, epsilon: float, weight: Any, bias: Any) -> Wire:
    if not wire.shape:
        raise Refused("its values have no channel axis")
    made = _normalised(build, wire, (groups, math.prod(wire.shape) // groups), epsilon)
    return _weighted(build, made, weight, bias, (-1, *[1] * (len(wire.shape) - 1)))


def _group_norm(build: GraphBuilder, call: Call) -> Wire:
    return _by_groups(
        build, call.wire("input"), call["num_groups"], call["eps"], call.optional("weight"), call.optional("bias")
    )


def _group_norm_triple(build: GraphBuilder, call: Call) -> tuple[Wire, None, None]:
    weight, bias = call.optional("weight"), call.optional("bias")
    return _by_groups(build, call.wire("input"), call["group"], call["eps"], weight, bias), None, None


def _instance_norm(build: GraphBuilder, call: Call) -> Wire:
    wire, weight, bias = call.wire("input"), call.optional("weight"), call.optional("bias")
    if call["use_input_stats"]:
        return _by_groups(build, wire, wire.shape[0], call["eps"], weight, bias)
    return _by_statistics(build, call, wire)


def _batch_norm(build: GraphBuilder, call: Call) -> Wire:
    if call.get("training", False) or call["running_mean"] is None or call["running_var"] is None:
        raise Refused(
            "it normalises with statistics of the batch, so that a row's result depends on the others;"
            " train it with track_running_stats=True, or use an instance norm"
        )
    return _by_statistics(build, call, call.wire("input"))


def _by_statistics(build: GraphBuilder, call: Call, source: Wire) -> Wire:
    # y = w (x - mean) / sqrt(var + eps) + b  =  scale x + (b - scale mean)
    mean, variance = call["running_mean"], call["running_var"]
    weight, bias = call.optional("weight"), call.optional("bias")
    scale = 1.0 / torch.sqrt(variance + call["eps"])
    scale = scale if weight is None else weight * scale
    shift = -scale * mean if bias is None else bias - scale * mean
    return build.emit(Affine, source, shape=call.shape, scale=scale, shift=shift)


def _batch_norm_triple(build: GraphBuilder, call: Call) -> tuple[Wire, None, None]:
    return _batch_norm(build, call), None, None


NORMS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.layer_norm.default: _layer_norm,
        aten.native_layer_norm.default: _layer_norm_triple,
        aten.rms_norm.default: _rms_norm,
        aten.group_norm.default: _group_norm,
        aten.native_group_norm.default: _group_norm_triple,
        aten.instance_norm.default: _instance_norm,
        aten.batch_norm.default: _batch_norm,
        aten._native_batch_norm_legit_no_training.default: _batch_norm_triple,
    }
)
