"""Functions of whole rows, along the last axis: softmax, its logarithm, layer norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.errors import ShapeError
from icm_ray.functions.activations import exp_negative
from icm_ray.functions.reciprocal import logarithm, reciprocal, relative_error, rsqrt
from icm_ray.ops.compare import Maximum
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AddLast, AddPublic, AssumeWidth, Expand, Reshape, Scale, ScaleLast, Subtract, SumAxis
from icm_ray.ops.products import Epilogue, Product, Truncate
from icm_ray.ops.values import log2_ceil
from icm_ray.program.build import Builder, Value

__all__ = ["layer_norm", "log_softmax", "softmax"]

_EXP_BITS = 22
_CONSTANT_BITS = 24
_SUM_WIDTH = 63  # of a row's squares before epsilon is added


def _size(x: Value, what: str) -> int:
    if len(x.type.shape) < 2 or x.type.shape[-1] < 3:
        raise ShapeError(f"{what} takes rows of three values or more, not shape {x.type.shape}")
    return x.type.shape[-1]


def _narrowed(builder: Builder, x: Value, width: int) -> Value:
    """x with as many fractional bits fewer as it is wider than `width`."""
    shift = x.type.width - width
    if shift <= 0:
        return x
    x = builder.add(Truncate(Epilogue(shift=shift + 1, width=x.type.width + 1)), x)
    return builder.add(AssumeWidth(min(width, x.type.width)), x)


def _exponentials(builder: Builder, x: Value) -> tuple[Value, Value, Value]:
    """x less its maximum, e to that, the sum of these as if they were exact: at least 1."""
    top = builder.add(Maximum(x.type.width + 1), x)
    top = builder.add(Expand(x.type.shape), builder.add(Reshape((*x.type.shape[:-1], 1)), top))
    below = builder.add(Subtract(), x, top)
    exact = builder.add(AssumeWidth(below.type.width, 0.0), below)
    powers = exp_negative(builder, exact, _EXP_BITS)
    total = builder.add(SumAxis(), powers)
    return below, powers, builder.add(AssumeWidth(total.type.width, 0.0), total)


def log_softmax(builder: Builder, x: Value) -> Value:
    """x - log sum e^x along the last axis; results have the fractional bits of x.

    Error: below 2e-6 n + 1e-5 + 2^-f for rows of n (plus twice the input's own). Opened: uniform words alone.
    """
    size, f = _size(x, "softmax"), x.type.f
    below, powers, total = _exponentials(builder, x)
    log = logarithm(builder, total, 0, max(2, (size - 1).bit_length()), f)
    log = builder.add(Expand(x.type.shape), log)
    # the sum is at least 1, so that its logarithm is off by no more than itself
    error = log.type.error + 1.01 * size * powers.type.error + 2 * x.type.error
    result = builder.add(Subtract(), below, log)
    return builder.add(AssumeWidth(result.type.width, error), result)


def softmax(builder: Builder, x: Value) -> Value:
    """e^x / sum e^x along the last axis, after subtracting the maximum; results have the fractional bits of x.

    Error: below 1.3e-6 n + 1.5e-5 + 2^-f for rows of n (plus the input's own). Opened: uniform words alone.
    """
    size, f = _size(x, "softmax"), x.type.f
    _, powers, total = _exponentials(builder, x)
    inverse = reciprocal(builder, total, 0, max(2, (size - 1).bit_length()))
    raw = Product(Elementwise()).infer(powers.type, inverse.type)
    epilogue = Epilogue(shift=raw.f - f, width=raw.width + 1)
    share = builder.add(Product(Elementwise(), epilogue), powers, inverse)
    # |e^ - e| <= delta each, the sum is at least 1, and softmax is 1/2-Lipschitz for the largest difference
    delta = powers.type.error
    error = (size + 1) * delta * (1 + 2 * size * delta) + inverse.type.error * (1 + delta) + 2.0**-f
    return builder.add(AssumeWidth(f + 2, error + 0.5 * x.type.error), share)


def _less_mean(builder: Builder, x: Value) -> Value:
    size, f = x.type.shape[-1], x.type.f
    total = builder.add(SumAxis(), x)
    scaled = builder.add(Scale(round(2**_CONSTANT_BITS / size), _CONSTANT_BITS), total)
    mean = builder.add(Truncate(Epilogue(shift=_CONSTANT_BITS, width=scaled.type.width + 1)), scaled)
    # the constant's own rounding, times the largest sum
    rounding = abs(round(2**_CONSTANT_BITS / size) / 2**_CONSTANT_BITS - 1 / size) * size * x.type.magnitude
    mean = builder.add(AssumeWidth(x.type.width, x.type.error + 2.0**-f + rounding), mean)
    return builder.add(Subtract(), x, builder.add(Expand(x.type.shape), mean))


def layer_norm(
    builder: Builder,
    x: Value,
    low: int,
    high: int,
    gamma: Sequence[float] | None = None,
    beta: Sequence[float] | None = None,
    epsilon: float = 0.0,
    centred: bool = True,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) along the last axis, times public gamma, plus public beta, where given.

    Not `centred`: zero stands in the mean's place. 2^low <= variance + epsilon <= 2^high (the population's variance) is
    the caller's to ensure; results have the fractional bits of x. Error: about n 2^(-low/2) times twice x's rounding.
    Opened: uniform words alone.
    """
    size, f = _size(x, "layer norm"), x.type.f
    away = _less_mean(builder, x) if centred else x
    short = _narrowed(builder, away, (_SUM_WIDTH - log2_ceil(size)) // 2)
    squares = builder.add(SumAxis(), builder.add(Product(Elementwise()), short, short))
    squares = builder.add(AddPublic(round(size * epsilon * 2**squares.type.f)), squares)
    least, most = math.floor(low + math.log2(size)), math.ceil(high + math.log2(size))
    squares = builder.add(AssumeWidth(squares.type.f + most + 2), squares)
    shift = squares.type.f - max(f, _CONSTANT_BITS - least)
    if shift > 0:
        squares = builder.add(Truncate(Epilogue(shift=shift, width=squares.type.width + 1)), squares)
    root = math.sqrt(size)
    inverse = rsqrt(builder, squares, least, most, _EXP_BITS, root)
    bound = math.ceil(math.log2(root)) + 1
    raw = Product(Elementwise(), bound=bound).infer(away.type, inverse.type)
    op = Product(Elementwise(), Epilogue(shift=raw.f - f, width=raw.width + 1), bound)
    result = builder.add(op, away, inverse)
    # with S the sum of squares: |x - mean| <= sqrt S, so that relative errors of S^(-1/2) are what counts
    nearest = 2.0 ** (-0.5 * least)
    each, shorter = away.type.error * nearest, short.type.error * nearest
    of_squares = 2 * root * shorter + size * shorter**2 + 1.1 * 2.0**-squares.type.f * nearest**2
    relative = relative_error(-0.5, squares.type.f, most) + 0.5 * of_squares * (1 + of_squares)
    error = root * (relative + each * (1 + relative)) + 2.0 ** (0.5 * most) * 1.1 * 2.0**-_EXP_BITS + 2.0**-f
    result = builder.add(AssumeWidth(f + bound + 1, error), result)
    if gamma is not None:
        weights = tuple(round(value * 2**f) for value in gamma)
        weighted = builder.add(ScaleLast(weights, f), result)
        weighted = builder.add(AssumeWidth(weighted.type.width, weighted.type.error + root * 2.0 ** -(f + 1)), weighted)
        result = builder.add(Truncate(Epilogue(shift=f, width=weighted.type.width + 1)), weighted)
    if beta is not None:
        result = builder.add(AddLast(tuple(round(value * 2**f) for value in beta)), result)
        result = builder.add(AssumeWidth(result.type.width, result.type.error + 2.0 ** -(f + 1)), result)
    return result
