"""Translations of trigonometric and hyperbolic functions, and of their inverses, that are made of others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.activations import rectified, smooth
from analytics.nn.torch_ops.building import Call, GraphBuilder, Translation, Wire
from analytics.nn.torch_ops.constants import held, lifted, scaled, spread
from analytics.nn.torch_ops.functions import powered, quotient
from analytics.nn.torch_ops.pointwise import multiplied
from icm_ray.network.layers import Add, AtLeast, Bent, Exponential, Logarithm, Maximum

__all__ = ["ANGLES"]

aten = torch.ops.aten


def _plus(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    return build.emit(Add, a, b, shape=a.shape)


def _less(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    return _plus(build, a, scaled(build, b, -1.0))


def _sine(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "sin")


def _cosine(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "cos")


def _tangent(build: GraphBuilder, call: Call) -> Wire:
    return quotient(build, _sine(build, call), _cosine(build, call))


def _arctangent(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "atan")


def _arcsine(build: GraphBuilder, call: Call) -> Wire:
    """2 arctan(x / (1 + sqrt(1 - x^2)))."""
    x = call.wire("self")
    rest = lifted(build, scaled(build, multiplied(build, x, x), -1.0), 1.0)
    half = quotient(build, x, lifted(build, powered(build, rest, 0.5), 1.0))
    return scaled(build, smooth(build, half, "atan"), 2.0)


def _arccosine(build: GraphBuilder, call: Call) -> Wire:
    return lifted(build, scaled(build, _arcsine(build, call), -1.0), math.pi / 2)


def _of_exponentials(sign: float) -> Translation:
    """(e^x + sign e^-x) / 2."""

    def translate(build: GraphBuilder, call: Call) -> Wire:
        x = call.wire("self")
        rising, falling = (build.emit(Exponential, scaled(build, x, factor), shape=x.shape) for factor in (1.0, -1.0))
        return scaled(build, _plus(build, rising, scaled(build, falling, sign)), 0.5)

    return translate


def _log(build: GraphBuilder, wire: Wire) -> Wire:
    return build.emit(Logarithm, wire, shape=wire.shape)


def _of_root(build: GraphBuilder, x: Wire, term: float) -> Wire:
    """log(x + sqrt(x^2 + term))."""
    root = powered(build, lifted(build, multiplied(build, x, x), term), 0.5)
    return _log(build, _plus(build, x, root))


def _area_sine(build: GraphBuilder, call: Call) -> Wire:
    """Of max(x, 0), less that of max(-x, 0): below zero the root's sum would be a small difference."""
    x = call.wire("self")
    above, below = (_of_root(build, rectified(build, scaled(build, x, sign)), 1.0) for sign in (1.0, -1.0))
    return _less(build, above, below)


def _area_cosine(build: GraphBuilder, call: Call) -> Wire:
    return _of_root(build, call.wire("self"), -1.0)


def _area_tangent(build: GraphBuilder, call: Call) -> Wire:
    """(log(1 + x) - log(1 - x)) / 2."""
    x = call.wire("self")
    above, below = (_log(build, lifted(build, scaled(build, x, sign), 1.0)) for sign in (1.0, -1.0))
    return scaled(build, _less(build, above, below), 0.5)


def _angle(build: GraphBuilder, call: Call) -> Wire:
    """sign(y) (pi / 2 - p), with p = arctan(x / |y|) = 2 arctan(x / m) - arctan(min(max(x, -|y|), |y|) / m).

    m = max(|x|, |y|): at |x| = |y| both ways of p are the same.
    """
    given = [call["self"], call["other"]]
    like = next(item for item in given if isinstance(item, Wire))
    like = spread(build, like, call.shape)
    y, x = (
        spread(build, item, call.shape) if isinstance(item, Wire) else held(build, like, item, call.shape)
        for item in given
    )
    high, wide = (_size(build, wire) for wire in (y, x))
    inverse = powered(build, _larger(build, high, wide), -1.0)
    inner = _larger(
        build,
        scaled(build, _larger(build, scaled(build, x, -1.0), scaled(build, high, -1.0)), -1.0),
        scaled(build, high, -1.0),
    )
    whole, part = (smooth(build, _unit(build, multiplied(build, wire, inverse)), "atan") for wire in (x, inner))
    away = lifted(build, _less(build, part, scaled(build, whole, 2.0)), math.pi / 2)
    upper = build.emit(AtLeast, y, shape=y.shape, at=0.0)
    return multiplied(build, away, lifted(build, scaled(build, upper, 2.0), -1.0))


def _larger(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    return build.emit(Maximum, a, b, shape=a.shape)


def _size(build: GraphBuilder, wire: Wire) -> Wire:
    return build.emit(Bent, wire, shape=wire.shape, offset=0.0, slope=-1.0, bends=((0.0, 2.0),))


def _unit(build: GraphBuilder, wire: Wire) -> Wire:
    """min(max(x, -1), 1)."""
    return build.emit(Bent, wire, shape=wire.shape, offset=-1.0, slope=0.0, bends=((-1.0, 1.0), (1.0, -1.0)))


ANGLES: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.sin.default: _sine,
        aten.cos.default: _cosine,
        aten.tan.default: _tangent,
        aten.asin.default: _arcsine,
        aten.acos.default: _arccosine,
        aten.atan.default: _arctangent,
        aten.atan2.default: _angle,
        aten.sinh.default: _of_exponentials(-1.0),
        aten.cosh.default: _of_exponentials(1.0),
        aten.asinh.default: _area_sine,
        aten.acosh.default: _area_cosine,
        aten.atanh.default: _area_tangent,
    }
)
