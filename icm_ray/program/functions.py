"""Smooth functions as programs: sigmoid, tanh, GELU, exp of negatives, reciprocal; each with a stated error bound.

A function is fitted on cells of equal width by polynomials in the distance from the cell's node (Chebyshev
interpolation, near the minimax error); beyond its domain it is constant, so values are clamped to it first where their
declared width does not fit. What is fitted is public and the same for everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.linear import AddPublic, Declare, Subtract
from icm_ray.ops.products import Finish, Relu
from icm_ray.ops.smooth import Piecewise
from icm_ray.program.build import Builder, Value

__all__ = ["clamp", "fitted", "sigmoid"]

Real = NDArray[np.float64]
Function = Callable[[Real], Real]


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a function is cut up: cells 2^cell_log wide (plain units), 2^cell_bits of them, polynomials of `degree`.

    low_bits: fractional bits that are kept of the distance from the node; sum_bits: fractional bits of the sums.
    """

    cell_log: int
    cell_bits: int
    degree: int
    low_bits: int
    sum_bits: int
    word: int
    result_log: int

    @property
    def reach(self) -> float:
        """The largest magnitude that the cells cover: one cell is left to the public coin."""
        return (2.0 ** (self.cell_bits - 1) - 1) * 2.0**self.cell_log


def fitted(function: Function, fit: _Fit, f: int, slope: float) -> Piecewise:
    """The operation for inputs and results of f fractional bits; its error bound is computed on a fine grid of each
    cell.
    """
    width = 2.0**fit.cell_log
    half = 1 << (fit.cell_bits - 1)
    nodes = np.arange(-half, half) * width
    points = np.cos(np.pi * (np.arange(fit.degree + 1) + 0.5) / (fit.degree + 1)) * width
    values = function(np.clip(nodes[:, None] + points, -fit.reach - width, fit.reach + width))
    powers = np.vander(points, fit.degree + 1, increasing=True)
    plain = np.linalg.solve(powers[None], values[..., None])[..., 0]
    scales = 2.0 ** (fit.sum_bits - fit.low_bits * np.arange(fit.degree + 1))
    whole = np.rint(plain * scales).astype(np.int64)
    error = _grid_error(function, fit, nodes, whole / scales, f, slope)
    rows = tuple(tuple(int(value) for value in row) for row in whole)
    return Piecewise(
        shift=f + fit.cell_log,
        drop=f - fit.low_bits,
        cell_bits=fit.cell_bits,
        coefficients=rows,
        f=f,
        excess=fit.sum_bits - f,
        word=fit.word,
        result_width=f + fit.result_log + 2,
        error=error,
        slope=slope,
    )


def _grid_error(function: Function, fit: _Fit, nodes: Real, plain: Real, f: int, slope: float) -> float:
    """Largest difference on a grid of every cell, plus what dropping low bits and the last rounding add."""
    width = 2.0**fit.cell_log
    low = np.linspace(-width, width, 513)
    at = nodes[:, None] + low
    inside = np.abs(at) <= fit.reach
    sums = np.zeros_like(at)
    for power in reversed(range(plain.shape[1])):
        sums = sums * low + plain[:, power, None]
    largest = float(np.max(np.abs(sums - function(at)) * inside))
    between = 2 * width / 512 * slope * 0.02  # the difference of two smooth curves between neighbours of the grid
    return largest + between + 1.1 * slope * 2.0**-fit.low_bits + 2.0 ** (1 - f)


def clamp(builder: Builder, x: Value, low: float, high: float) -> Value:
    """min(max(x, low), high) = low + ReLU(x - low) - ReLU(x - high)."""
    f = x.type.f
    bottom, top = round(low * 2**f), round(high * 2**f)

    def above(edge: int) -> Value:
        shifted = builder.add(AddPublic(-edge), x)
        return builder.add(Relu(Finish(relu=True, width=min(shifted.type.width, 64))), shifted)

    clamped = builder.add(AddPublic(bottom), builder.add(Subtract(), above(bottom), above(top)))
    return builder.add(Declare(max(abs(bottom), abs(top)).bit_length() + 1), clamped)


def _apply(builder: Builder, x: Value, op: Piecewise, reach: float) -> Value:
    if x.type.magnitude > reach:
        x = builder.add(Declare(op.shift + op.cell_bits), clamp(builder, x, -reach, reach))
    return builder.add(op, x)


_SIGMOID = _Fit(cell_log=-1, cell_bits=5, degree=2, low_bits=10, sum_bits=29, word=32, result_log=0)


def _logistic(x: Real) -> Real:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


@cache
def _sigmoid_op(f: int) -> Piecewise:
    return fitted(_logistic, _SIGMOID, f, 0.25)


def sigmoid(builder: Builder, x: Value) -> Value:
    """1 / (1 + e^-x) for any x; beyond 7.5 the value there, 2^-10.8 from the limit."""
    op = _sigmoid_op(x.type.f)
    beyond = 1 - float(_logistic(np.array(_SIGMOID.reach)))
    return _apply(builder, x, msgspec.structs.replace(op, error=op.error + beyond), _SIGMOID.reach)
