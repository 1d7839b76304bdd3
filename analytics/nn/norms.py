"""Upper bounds on the norms of a layer's linear map, from its weights: how much it can lengthen a vector."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from icm_ray.network.layer import Shape
from icm_ray.network.layers import Conv

__all__ = ["conv_norm", "matrix_norm", "schur_norm"]

Array = npt.NDArray[np.float64]

_SAFETY = 1 + 1e-6  # over the rounding of float64
_MOST_WORK = 4e9  # multiplications that a spectrum may cost; beyond it the cheaper, looser bound is taken
_MOST_FOR_MATRICES = 2e10  # of one large product, which is quicker


def matrix_norm(weight: Array) -> float:
    """The largest singular value of a matrix, or what is surely above it where that would be too much work.

    With G = W W^T (or W^T W, if smaller): s = (largest eigenvalue of G)^(1/2) <= (tr G^4)^(1/8) <= (tr G)^(1/2).
    """
    least, most = sorted(weight.shape)
    cheap = min(schur_norm(weight), float(np.linalg.norm(weight)) * _SAFETY)
    if least * least * (most + least) > _MOST_FOR_MATRICES:
        return cheap
    wide = weight if weight.shape[0] == least else weight.T
    gram = wide @ wide.T
    if least * least * (most + 10 * least) > _MOST_WORK:
        return min(math.sqrt(math.sqrt(float(np.linalg.norm(gram @ gram)))) * _SAFETY, cheap)
    return min(math.sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)) * _SAFETY, cheap)


def schur_norm(weight: Array, groups: int = 1) -> float:
    """Schur's bound for a matrix or a convolution: the root of largest row sum x largest column sum of magnitudes."""
    rows = np.abs(weight).reshape(weight.shape[0], -1).sum(axis=1).max(initial=0.0)
    grouped = np.abs(weight).reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    columns = grouped.sum(axis=tuple(axis for axis in range(1, grouped.ndim) if axis != 2)).max(initial=0.0)
    return math.sqrt(float(rows) * float(columns)) * _SAFETY


def conv_norm(weight: Array, node: Conv, source: Shape) -> float:
    """The largest factor by which the convolution can lengthen an image (Euclidean norm), from above.

    Padded with zeros to the size of its full output, a convolution is a cyclic one, whose singular values are those of
    its kernel's matrices at every frequency (Sedghi, Gupta, Long 2019); strides and cropping only leave outputs out.
    """
    sizes = [
        size + (kernel - 1) * dilation
        for size, kernel, dilation in zip(source[1:], node.kernel, node.dilation, strict=True)
    ]
    if node.groups == 1 and node.kernel == (1, 1):  # the same matrix for every cell
        return matrix_norm(weight[:, :, 0, 0])
    outs, ins = weight.shape[0] // node.groups, weight.shape[1]
    sizes = [1 if kernel == 1 else size for size, kernel in zip(sizes, node.kernel, strict=True)]
    frequencies = sizes[0] * (sizes[1] // 2 + 1)
    least, most = sorted((outs, ins))
    schur = schur_norm(weight, node.groups)
    if frequencies * node.groups * least * least * (most + 10 * least) > _MOST_WORK:
        return schur
    spread = np.zeros((*weight.shape[:2], *sizes))
    rows, columns = (range(0, k * d, d) for k, d in zip(node.kernel, node.dilation, strict=True))
    spread[np.ix_(range(weight.shape[0]), range(ins), rows, columns)] = weight
    largest = 0.0
    for group in range(node.groups):
        part = torch.from_numpy(spread[group * outs : (group + 1) * outs])
        spectrum = torch.fft.rfft2(part).permute(2, 3, 0, 1).flatten(0, 1)
        tall = spectrum if outs <= ins else spectrum.mT
        largest = max(largest, _largest_eigenvalue(tall @ tall.mH))
    return min(math.sqrt(max(largest, 0.0)) * _SAFETY, schur)


def _largest_eigenvalue(grams: torch.Tensor) -> float:
    """Of all of these Hermitian, positive matrices. (tr G^8)^(1/8) is above that of G: most need no second look."""
    fourth = torch.linalg.matrix_power(grams, 4)
    above = torch.linalg.matrix_norm(fourth) ** 0.25
    order, largest = torch.argsort(above, descending=True), 0.0
    for first in range(0, len(order), 16):
        few = order[first : first + 16]
        if float(above[few[0]]) <= largest:
            break
        largest = max(largest, float(torch.linalg.eigvalsh(grams[few])[:, -1].max()))
    return largest
