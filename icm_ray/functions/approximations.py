"""Fits of functions, with error bounds: as polynomials on cells, and as trigonometric sums.

A fit is made where a program is written; what the parties execute are its integers. Error bounds hold for every number
of the domain: the largest difference on a fine grid, what two smooth curves can differ by between its points
(h^2 / 8 of the second derivative of the difference), and every rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.smooth import Periodic, Piecewise
from icm_ray.ring.fourier import COEFFICIENT_BITS

__all__ = ["Cells", "FourierSum", "Function", "Real", "fourier_sum", "polynomials"]

Real = NDArray[np.float64]
Function = Callable[[Real], Real]
_WAVE_ERROR = 3.2e-7
"""Of the kernel's sines and cosines."""
_GRID = 16384


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells 2^cell_log wide (plain units), 2^cell_bits of them around zero, polynomials of `degree`.

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


def polynomials(
    function: Function, fit: Cells, f: int, result_f: int, domain: tuple[float, float], slope: float, curvature: float
) -> Piecewise:
    """The operation for inputs of f fractional bits within `domain`, results of result_f.

    The function is asked for up to two cells beyond the domain. slope, curvature: bounds on its derivatives, and on
    the polynomials'. Chebyshev interpolation.
    """
    width, half = 2.0**fit.cell_log, 1 << (fit.cell_bits - 1)
    low_bits = min(fit.low_bits, f)
    nodes = np.arange(-half, half) * width
    used = (nodes > domain[0] - width) & (nodes < domain[1] + width)
    points = np.cos(np.pi * (np.arange(fit.degree + 1) + 0.5) / (fit.degree + 1)) * width
    values = np.zeros((2 * half, fit.degree + 1))
    values[used] = function(nodes[used, None] + points)
    powers = np.vander(points, fit.degree + 1, increasing=True)
    plain = np.linalg.solve(powers[None], values[..., None])[..., 0]
    scales = 2.0 ** (fit.sum_bits - low_bits * np.arange(fit.degree + 1))
    whole = np.rint(plain * scales).astype(np.int64)
    low = np.linspace(-width, width, _GRID // 8 + 1)
    at = nodes[used, None] + low
    inside = (at >= domain[0]) & (at <= domain[1])
    sums = np.zeros_like(at)
    for power in reversed(range(fit.degree + 1)):
        sums = sums * low + (whole / scales)[used, power, None]
    largest = float(np.max(np.abs(sums - function(np.clip(at, *domain))) * inside))
    between = (low[1] - low[0]) ** 2 / 4 * curvature
    dropped = 2 * slope * 2.0**-low_bits if low_bits < f else 0.0
    return Piecewise(
        shift=f + fit.cell_log,
        drop=f - low_bits,
        cell_bits=fit.cell_bits,
        coefficients=tuple(tuple(int(value) for value in row) for row in whole),
        f=result_f,
        excess=fit.sum_bits - result_f,
        word=fit.word,
        result_width=result_f + fit.result_log + 2,
        error=float(largest + between + dropped + 2.0**-result_f),
        slope=slope,
    )


@dataclass(frozen=True, slots=True)
class FourierSum:
    """Harmonics of a period 2^period_log (plain units); `even` or odd; and `linear` times x, `constant`.

    dealt_bits, public_bits: fractional bits of the two factors of a sum, taken in words of `word` bits.
    """

    period_log: int
    harmonics: tuple[int, ...]
    even: bool
    dealt_bits: int
    public_bits: int
    word: int
    linear: float = 0.0


def _coefficients(function: Function, fit: FourierSum, reach: float) -> Real:
    """Lawson's iteration towards the smallest largest error on [0, reach]; even fits have a constant at the end."""
    x = reach / 2 * (1 - np.cos(np.linspace(0, np.pi, 2001)))
    angles = 2 * np.pi / 2.0**fit.period_log * x[:, None] * np.array(fit.harmonics)
    columns = np.cos(angles) if fit.even else np.sin(angles)
    if fit.even:
        columns = np.concatenate([columns, np.ones((x.size, 1))], axis=1)
    target, weights = function(x), np.ones(x.size)
    best, least = np.zeros(columns.shape[1]), math.inf
    for _ in range(40):
        roots = np.sqrt(weights)
        found = np.linalg.lstsq(columns * roots[:, None], target * roots, rcond=1e-7)[0]
        errors = np.abs(columns @ found - target)
        if errors.max() < least:
            best, least = found, float(errors.max())
        weights *= errors + 1e-12
        weights /= weights.mean()
    return best


def fourier_sum(
    function: Function,
    fit: FourierSum,
    f: int,
    reach: float,
    offset: float,
    result_log: int,
    slope: float,
    curvature: float,
) -> Periodic:
    """The operation for `offset` + linear x + function(x), |x| <= reach, the function even or odd.

    slope: of the whole; curvature: bounds the function's second derivative.
    """
    found = _coefficients(function, fit, reach)
    scale = 2.0 ** (fit.public_bits + COEFFICIENT_BITS)
    whole = np.rint(found[: len(fit.harmonics)] * scale).astype(np.int64)
    middle = float(found[-1]) if fit.even else 0.0
    sum_bits = fit.dealt_bits + fit.public_bits
    x = np.linspace(0, reach, _GRID + 1)
    frequencies = 2 * np.pi / 2.0**fit.period_log * np.array(fit.harmonics)
    angles = x[:, None] * frequencies
    sums = (np.cos(angles) if fit.even else np.sin(angles)) @ (whole / scale) + middle
    largest = float(np.max(np.abs(sums - function(x))))
    sizes = np.abs(whole / scale)
    between = (x[1] - x[0]) ** 2 / 8 * (float(sizes @ frequencies**2) + curvature)
    factors = float(sizes.sum()) * (2.0 ** -(fit.dealt_bits + 1) + 2 * _WAVE_ERROR)
    rounding = math.sqrt(2) * (factors + sizes.size * 2.0 ** -(fit.public_bits + 1)) + 2.0**-sum_bits
    coefficients = tuple(int(value) for value in whole)
    return Periodic(
        period=f + fit.period_log,
        harmonics=fit.harmonics,
        cosines=coefficients if fit.even else (),
        sines=() if fit.even else coefficients,
        constant=round((middle + offset) * 2**sum_bits),
        linear=round(fit.linear * 2.0 ** (sum_bits - f)),
        dealt_bits=fit.dealt_bits,
        public_bits=fit.public_bits,
        f=f,
        word=fit.word,
        reach=math.floor(reach * 2**f),
        result_width=f + result_log + 1,
        error=float(largest + between + rounding * 1.001 + 2.0**-f),
        slope=slope,
    )
